"""The tree is as docs/map.md says: folders, includes, libraries, headers that stand alone, sizes, head comments."""
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAP = (ROOT / "docs/map.md").read_text()
LINES_MAX = 1500


def tracked_or_new():
    """Files of the project: what git tracks, and what it would add; without git, what lies there."""
    git = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if git.returncode == 0:
        names = git.stdout.splitlines()
    else:
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if not str(p.relative_to(ROOT)).startswith(("build/", "."))]
    return sorted(ROOT / name for name in names if (ROOT / name).is_file())


FILES = tracked_or_new()
SOURCES = [p for p in FILES if p.suffix in (".c", ".h", ".cc") and p.is_relative_to(ROOT / "src")]
HEADERS = [p for p in SOURCES if p.suffix == ".h"]


def name_of(path):
    return str(path.relative_to(ROOT))


def section(title):
    return MAP.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def rows(title):
    """Cells of the table of a section, without its two head lines."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def ticked(cell):
    return re.findall(r"`([^`]+)`", cell)


SERVICES = sorted("services/" + p.parent.name for p in FILES if p.match("src/services/*/service.c"))


def uses(service):
    """What the service's service.mk lets it include."""
    makefile = ROOT / "src" / service / "service.mk"
    found = re.search(rf"^USES_{Path(service).name} := (.*)$", makefile.read_text(), re.MULTILINE) if makefile.is_file() else None
    return set(found[1].split()) if found else set()


def allowed():
    table = {ticked(row[0])[0].removeprefix("src/"): set(ticked(row[2])) for row in rows("The program: src/")}
    usual = table.pop("services/NAME")
    table.update({service: usual | uses(service) for service in SERVICES})
    return {folder: (names - {"services/*"}) | (set(SERVICES) if "services/*" in names else set()) for folder, names in table.items()}


ALLOWED = allowed()


def includes(path):
    return re.findall(r'^\s*#\s*include\s+([<"])([^">]+)[">]', path.read_text(), re.MULTILINE)


def folder_of(path):
    return str(path.parent.relative_to(ROOT / "src"))


def test_every_folder_is_on_the_map():
    folders = {folder_of(p) for p in FILES if p.is_relative_to(ROOT / "src")}
    folders |= {str(Path(f).parent) for f in folders if "/" in f}
    assert folders - set(ALLOWED) == set()
    top = {p.relative_to(ROOT).parts[0] for p in FILES if len(p.relative_to(ROOT).parts) > 1}
    named = {ticked(row[0])[0] for row in rows("Everything else")}
    assert {f for f in top if not f.startswith(".")} - named - {"src"} == set()
    below_tests = {p.relative_to(ROOT).parts[1] for p in FILES if len(p.relative_to(ROOT).parts) > 2 and name_of(p).startswith("tests/")}
    assert {f for f in below_tests if f"`tests/{f}`" not in MAP} == set()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_includes_are_allowed(path):
    own = folder_of(path)
    for kind, target in includes(path):
        if kind == "<":
            continue
        folder = str(Path(target).parent)
        assert (ROOT / "src" / target).is_file(), f"{target}: includes are written from src/ on"
        assert folder == own or folder in ALLOWED[own], f"{own} may not include {target}"
        internal = target.endswith("internal.h")
        assert folder == own or not internal, f"{target} is internal to {folder}"


def test_files_of_a_folder_stand_in_order():
    level = {}
    for at, row in enumerate(rows("Order within a folder")):
        for name in ticked(row[1]):
            level[f"{ticked(row[0])[0]}/{name}"] = at
    folders = {str(Path(name).parent) for name in level}
    wrong = []
    for path in SOURCES:
        folder, own = str(path.parent.relative_to(ROOT)), name_of(path.with_suffix(""))
        if folder not in folders:
            continue
        assert own in level, f"{own} has no place in the order of its folder"
        for kind, target in includes(path):
            other = "src/" + target.removesuffix(".h")
            if kind == '"' and str(Path(other).parent) == folder and Path(other).name != Path(folder).name and level[other] < level[own]:
                wrong.append(f"{name_of(path)} includes {target}")
    assert wrong == []


def test_library_headers_stay_in_their_module():
    wrong = []
    for row in rows("Libraries"):
        header, homes = ticked(row[0])[0], [ROOT / home for home in ticked(row[2])]
        for path in SOURCES:
            used = [t for kind, t in includes(path) if kind == "<" and t.startswith(header)]
            if used and not any(path == home or path.is_relative_to(home) for home in homes):
                wrong.append(f"{name_of(path)} includes {used[0]}")
    assert wrong == []


def test_makefile_agrees():
    text = (ROOT / "Makefile").read_text()
    raw = dict(re.findall(r"^DEPS_([a-z/]+)\s*:=[ \t]*(.*)$", text, re.MULTILINE))

    def expand(folder):
        found = set()
        for word in raw[folder].split():
            inner = re.fullmatch(r"\$\(DEPS_([a-z/]+)\)", word)
            found |= set(SERVICES) if word == "$(SERVICES:%=services/%)" else expand(inner[1]) if inner else {word}
        return found

    def expand_service(folder):
        return uses(folder) | {"wire"} | expand("wire")

    for service in SERVICES:
        raw.setdefault(service, " ".join(expand_service(service)))
    assert {folder: expand(folder) for folder in raw} == {f: ALLOWED[f] for f in ALLOWED if f not in ("services", "runtimes")}


def compile_flags():
    packages = subprocess.run(["pkg-config", "--cflags", "libuv", "libcrypto", "libarchive", "libseccomp"], capture_output=True, text=True)
    return ["-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/src", f"-I{ROOT}/build/gen",
            "-isystem", "/usr/share/include/llhttp", *packages.stdout.split()]


@pytest.mark.parametrize("path", HEADERS, ids=name_of)
def test_header_compiles_alone(path, tmp_path):
    compiler = shutil.which("gcc") or shutil.which("cc")
    unit = tmp_path / "alone.c"
    target = path.relative_to(ROOT / "src")
    unit.write_text(f'#include "{target}"\n#include "{target}"\nint alone;\n')
    run = subprocess.run([compiler, *compile_flags(), "-fsyntax-only", str(unit)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


LIBRARY = [p for p in FILES if p.suffix in (".c", ".h") and p.is_relative_to(ROOT / "lib/function")]
PUBLIC = [p for p in FILES if p.suffix == ".h" and p.is_relative_to(ROOT / "include")]


@pytest.mark.parametrize("language", [["c", "-std=c11", "-Wpedantic"], ["c++", "-std=c++11"]], ids=["C", "C++"])
@pytest.mark.parametrize("path", PUBLIC, ids=name_of)
def test_public_header_compiles_alone(path, language, tmp_path):
    unit = tmp_path / "alone"
    target = path.relative_to(ROOT / "include")
    unit.write_text(f'#include "{target}"\n#include "{target}"\nint alone;\n')
    run = subprocess.run(["gcc", "-x", *language, "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", "-fsyntax-only", str(unit)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_library_for_functions_stands_alone():
    wrong = []
    homes = {"openssl/": {"crypto.c", "tls.c", "jwt_key.c"}, "llhttp.h": {"http_client.c"}}
    for path in LIBRARY + PUBLIC:
        for kind, target in includes(path):
            if kind == '"' and not target.startswith("cloudless/") and not (ROOT / "lib/function" / target).is_file():
                wrong.append(f"{name_of(path)} includes {target}")
            wrong += [f"{name_of(path)} includes {target}" for header, names in homes.items() if target.startswith(header) and path.name not in names]
    assert wrong == []
    idle = [name for header, names in homes.items() for name in names if not any(target.startswith(header) for _, target in includes(ROOT / "lib/function" / name))]
    assert idle == []


def test_no_file_is_too_long():
    code = [p for p in FILES if p.suffix in (".c", ".h", ".cc", ".py", ".sh", ".mk") or p.name == "Makefile"]
    lengths = {name_of(p): len(p.read_text().splitlines()) for p in code}
    assert {name: n for name, n in lengths.items() if n > LINES_MAX} == {}


def test_lines_have_132_columns():
    library = [p for p in FILES if p.suffix in (".c", ".h") and name_of(p).startswith(("lib/", "include/"))]
    assert [f"{name_of(p)}:{n}" for p in SOURCES + library for n, line in enumerate(p.read_text().split("\n"), 1) if len(line) > 132] == []


def test_every_file_begins_with_its_design():
    code = [p for p in FILES if p.suffix in (".c", ".h", ".cc")]
    heads = {p: p.read_text().split("\n", 1)[0] for p in code}
    assert [name_of(p) for p, head in heads.items() if not head.startswith(f"/* {p.name} -- ")] == []


def test_every_parser_has_its_seeds():
    fuzzers = [p.name.removesuffix("_fuzz.c") for p in FILES if p.name.endswith("_fuzz.c")]
    corpora = {p.relative_to(ROOT).parts[3] for p in FILES if name_of(p).startswith("tests/fuzz/corpus/")}
    assert [name for name in fuzzers if name not in corpora] == []


def test_every_parser_has_a_fuzzer():
    """What a header calls …_parse, …_decode or …_split reads bytes from outside or from a disk: a fuzzer calls it, or the header that it shares."""
    within = {"log_level_parse",                            # a word of the command line
              "value_type_parse"}                           # a name within an item, whose fuzzer is item_fuzz
    fuzzers = "".join(p.read_text() for p in FILES if p.is_relative_to(ROOT / "tests/fuzz") and p.suffix in (".c", ".h"))
    fuzzers += "".join((ROOT / "tests/unit" / name).read_text() for name in re.findall(r'#include "../unit/([^"]+)"', fuzzers))
    parsers = {name for p in HEADERS for name in re.findall(r"\b(\w+(?<!_fail)_(?:parse|decode|split))\(", p.read_text())}
    assert {name for name in parsers if not re.search(rf"\b{name}\(", fuzzers)} == within


# Said to headers of libraries before they are included.
FOR_LIBRARIES = {"#OPENSSL_SUPPRESS_DEPRECATED", "#PCRE2_CODE_UNIT_WIDTH"}

BLANK = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/|//[^\n]*|^[ \t]*#(?:\\\n|[^\n])*', re.S | re.M)
STATEMENT = re.compile(r"\b(if|for|while|switch)\b(?: (?:JSON_EACH|EACH_OF))? ?\(|\b(else|do)\b(?! ?(?:if\b|\{))|^[ \t]*(case\b[^?:\n]*|default ?):(?!:)", re.M)
STATIC = re.compile(r"^(?:static\b(?!_)|_Thread_local\b)([^;={]*?)\b(\w+)(?=\(|\[|;| =|,)", re.M)
TAG = re.compile(r"^(?:typedef |static |const )*(?:struct|union|enum) (\w+) \{", re.M)


def code_of(text):
    """The text with strings, comments and lines of the preprocessor blanked, line for line."""
    return BLANK.sub(lambda m: re.sub(r"[^\n]", "_" if m[0][0] in "\"'" else " ", m[0]), text)


def closing(code, at):
    depth = 0
    for i in range(at, len(code)):
        depth += {"(": 1, ")": -1}.get(code[i], 0)
        if depth == 0:
            return i + 1
    return len(code)


def one_liners(text):
    """Lines where a statement follows its if, else, loop or case label."""
    code = code_of(text)
    for m in STATEMENT.finditer(code):
        end = closing(code, m.end() - 1) if m[1] else m.end()
        rest = code[end:code.find("\n", end)].strip()
        empty_loop = m[1] in ("for", "while") and rest == ";"
        label = m[3] and re.match(r"(case|default)\b", rest)
        if rest not in ("", "{") and not empty_loop and not label:
            yield code.count("\n", 0, m.start()) + 1


def test_one_liners_are_seen():
    text = "if (a)\n    b();\nif (a &&\n    (b)) c();\nfor (;;) d();\nwhile (e);\ncase 1: case 2:\ncase 'x': f();\n} else {\nelse g();\n/* if (a) b; */\n"
    assert list(one_liners(text)) == [3, 5, 8, 10]


def test_statements_have_lines_of_their_own():
    found = [f"{name_of(p)}:{n}" for p in SOURCES for n in one_liners(p.read_text())]
    assert found == []
    assert [name_of(p) for p in FILES if p.name == ".clang-format" and p.parent != ROOT] == []


def names_made(path):
    """What a file makes for itself at its outer level: static functions and variables, tags of types, macros (#NAME)."""
    text = path.read_text()
    code = code_of(text)
    return ({m[2] for m in STATIC.finditer(code)} | {f"{m[0].split()[-3]} {m[1]}" for m in TAG.finditer(code)} |
            {f"#{name}" for name in re.findall(r"^#\s*define (\w+)", text, re.MULTILINE)})


def test_names_that_a_file_makes_are_seen(tmp_path):
    path = tmp_path / "a.c"
    path.write_text("static int one(void)\n{\n    static int inner;\n}\nstatic const char *const two[] = {\"x\"};\nstatic struct three *four;\n"
                    "static inline bool five(struct six *s);\nstruct seven {\n    int x;\n};\nstatic const struct eight {\n    int x;\n} nine[];\n/* static int ten; */\n"
                    "#define ELEVEN(x) x\n")
    assert names_made(path) == {"one", "two", "four", "five", "struct seven", "struct eight", "#ELEVEN"}


def test_a_name_stands_in_one_place():
    """So that a backtrace and a search lead to one file."""
    made = {}
    for path in SOURCES:
        for name in names_made(path) - FOR_LIBRARIES:
            made.setdefault(name, set()).add(path)
    assert {name: sorted(map(name_of, paths)) for name, paths in made.items() if len({p.with_suffix("") for p in paths}) > 1} == {}


def kept_by_the_process(text):
    """Variables of a file that outlive every service: static, and not constant; a thread's own scratch is nobody's."""
    for m in re.finditer(r"^\s*static (?!_Thread_local\b)([^;{}()=]*?)(\w+)(?:\[[^\]]*\])*\s*[=;]", code_of(text), re.MULTILINE):
        if not re.search(r"\bconst\b", m[1].rpartition("*")[2]):
            yield m[2]


def test_what_the_process_keeps_is_seen():
    text = "static int a;\nstatic const int b = 1;\nstatic const char *c;\nstatic const char *const d[] = {0};\nstatic struct e f[3];\n" \
           "static int g(void);\n    static char h;\nstatic _Thread_local char i[9];\nstatic const struct j {\n    int k;\n} l[] = {{1}};\n"
    assert list(kept_by_the_process(text)) == ["a", "c", "f", "h"]


def test_services_keep_nothing_in_the_process():
    """All that a service has hangs on what its open gave, so that two of them may live side by side."""
    kept = {f"{name_of(p)}: {name}" for p in SOURCES if p.is_relative_to(ROOT / "src/services") or p.is_relative_to(ROOT / "src/call")
            for name in kept_by_the_process(p.read_text())}
    assert kept == {"src/call/pattern.c: slots"}            # compiled patterns of the models, which are constants of the program


def test_file_names_are_unique():
    named = {}
    for path in SOURCES:
        if path.name != "service.c":         # who each service is
            named.setdefault(path.name, []).append(path)
    assert {name: list(map(name_of, paths)) for name, paths in named.items() if len(paths) > 1} == {}


def test_nothing_is_included_twice():
    assert [name_of(p) for p in SOURCES if len(includes(p)) != len(set(includes(p)))] == []


def without_memory(path):
    """The part of a test of the library in which memory runs out: behind the comment that says so."""
    return path.read_text().partition("/* ---- without memory")[2].partition("\nint main(")[0]


def test_every_function_of_the_library_is_called_without_memory():
    declared = {name for p in PUBLIC for name in re.findall(r"^CL_API [^(;]*?\b(cl_\w+)\(", p.read_text(), re.MULTILINE)}
    walked = "".join(without_memory(p) for p in FILES if p.is_relative_to(ROOT / "tests/unit/function") and p.suffix == ".c")
    assert len(declared) > 100
    assert sorted(name for name in declared if not re.search(rf"\b{name}\(", walked)) == []
