"""A service is a folder: one more folder in a copy of the tree is built, found and served, and no other file differs. The copy's path has a blank."""
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/e2e"))


def files_of(root):
    git = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    names = git.stdout.splitlines() if git.returncode == 0 else [
        str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file() and not str(p.relative_to(ROOT)).startswith(("build/", "."))]
    return sorted(name for name in names if (root / name).is_file())


def digests(root):
    return {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in files_of(root)}


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The tree with one folder more, and what is built already, so that little has to be built again."""
    tree = tmp_path_factory.mktemp("tree") / "a copy"
    for name in files_of(ROOT):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tree / name)
    built = ROOT / "build"
    for part in ("gen", "lib", "obj", "flags", "cloudless"):
        if (built / part).is_dir():
            shutil.copytree(built / part, tree / "build" / part, symlinks=True, ignore=shutil.ignore_patterns("pkgconfig"))
        elif (built / part).is_file():
            (tree / "build").mkdir(exist_ok=True)
            shutil.copy2(built / part, tree / "build" / part)
    for part in ("venv", "runtimes"):
        (tree / "build").mkdir(exist_ok=True)
        (tree / "build" / part).symlink_to(built / part)
    shutil.copytree(ROOT / "tests/new_service", tree / "src/services/cloudhsm")
    subprocess.run(["make", "--no-print-directory", "build/cloudless", "function"], cwd=tree, check=True)
    return tree


def test_a_folder_is_a_service(copy, monkeypatch):
    import harness
    monkeypatch.setattr(harness, "BINARY", str(copy / "build/cloudless"))
    server = harness.Server().start()
    try:
        client = server.client("cloudhsm")
        assert client.create_hapg(Label="first")["HapgArn"] == f"arn:aws:cloudhsm:{harness.REGION}:{harness.ACCOUNT}:hapg-first"
        with pytest.raises(client.exceptions.InvalidRequestException, match="A group has the label first."):
            client.create_hapg(Label="first")
        with pytest.raises(client.exceptions.InvalidRequestException, match="'label' failed to satisfy constraint"):
            client.create_hapg(Label="#")
        assert client.list_hapgs()["HapgList"] == ["first"]
        arn = client.create_hapg(Label="0123abcd")["HapgArn"]
        assert client.describe_hapg(HapgArn=arn)["Label"] == "0123abcd"        # which the group says, asked by its ARN
        with pytest.raises(client.exceptions.InvalidRequestException, match="There is no such group."):
            client.describe_hapg(HapgArn=arn[:-1] + "e")
        with pytest.raises(client.exceptions.ClientError, match="Cloudless does not implement cloudhsm:ListHsms."):
            client.list_hsms()
        server.stop()
        server.start()
        assert server.client("cloudhsm").list_hapgs()["HapgList"] == ["0123abcd", "first"]
    finally:
        server.stop()
        server.remove()


def test_nothing_else_differs(copy):
    ours, theirs = digests(ROOT), digests(copy)
    assert theirs == ours
    added = {str(p.relative_to(copy)) for p in (copy / "src").rglob("*") if p.is_file()} - set(ours)
    assert added == {"src/services/cloudhsm/service.c"}


def test_the_map_holds_for_it(copy):
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/map_test.py"], cwd=copy,
                         env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("lang", ["c", "python"])
def test_a_project_builds_with_what_lies_in_a_path_with_a_blank(copy, tmp_path, lang):
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CLOUDLESS")}
    folder = tmp_path / "of mine"
    folder.mkdir()
    subprocess.run([copy / "build/cloudless", "new", "--lang", lang, "hello"], cwd=folder, env=env, check=True)
    done = subprocess.run(["make", "test"], cwd=folder / "hello", env=env, capture_output=True, text=True)
    assert done.returncode == 0, done
    for _ in range(2):          # the second time nothing is to be done again
        done = subprocess.run(["make"], cwd=folder / "hello", env=env, capture_output=True, text=True)
        assert done.returncode == 0 and (folder / "hello/function.zip").is_file(), done
    assert "cc -std" not in done.stdout
