"""What a function in C needs to run, read from the programs that `make examples` and a new project's `make` pack; and what the library
shows, to C++ too."""
import glob
import os
import re
import shlex
import subprocess
import zipfile

import pytest

import harness

pytestmark = pytest.mark.plain

PROGRAMS = ['router', 'todo', 'items', 'orders', 'new project']
GLIBC = (2, 34)                 # of Amazon Linux 2023, the system of provided.al2023
BYTES_MAX = 6_000_000
NEEDED = {'libc.so.6', 'ld-linux-x86-64.so.2'}


@pytest.fixture(scope='module', params=PROGRAMS)
def bootstrap(request, tmp_path_factory):
    """The program out of the package, as CreateFunction gets it."""
    folder, package = tmp_path_factory.mktemp('bootstrap'), os.path.join(harness.ROOT, 'build', 'examples', f'{request.param}.zip')
    if request.param == 'new project':
        subprocess.run([harness.BINARY, 'new', 'hello', '--lang', 'c'], cwd=folder, check=True, capture_output=True)
        subprocess.run(['make', '-s', '-C', folder / 'hello'], env={**os.environ, **harness.PROJECT_ENV}, check=True)
        package = folder / 'hello' / 'function.zip'
    with zipfile.ZipFile(package) as z:
        return z.extract('bootstrap', folder)


def readelf(*words):
    return subprocess.run(['readelf', '-W', *words], check=True, capture_output=True, text=True).stdout


def needs_only_an_old_enough_c_library(binary):
    versions = {tuple(map(int, v.split('.'))) for v in re.findall(r'GLIBC_([0-9.]+)', readelf('-V', binary))}
    return set(re.findall(r'NEEDED.*\[(.*?)\]', readelf('-d', binary))) <= NEEDED and versions and max(versions) <= GLIBC


def test_needs_only_an_old_enough_c_library(bootstrap):
    assert needs_only_an_old_enough_c_library(bootstrap)


def test_is_stripped_small_and_hardened(bootstrap):
    assert os.path.getsize(bootstrap) <= BYTES_MAX
    sections = readelf('-S', bootstrap)
    assert '.debug_info' not in sections and '.symtab' not in sections
    headers = readelf('-l', bootstrap)
    assert 'GNU_RELRO' in headers and re.search(r'GNU_STACK.*RW\s', headers) and 'BIND_NOW' in readelf('-d', bootstrap)


# ---- the library ----

LIB = os.path.join(harness.ROOT, 'build', 'lib')
INCLUDE = os.path.join(harness.ROOT, 'include')
HEADERS = sorted(glob.glob(os.path.join(INCLUDE, 'cloudless', '*.h')))

# One call of each header. Written as C++ people write: braces for structs, null pointers, references to the tables.
CPP = '''
#include "cloudless/dynamodb.h"
#include "cloudless/http.h"
#include "cloudless/jwt.h"
#include "cloudless/log.h"
#include <cstdio>
struct thing { cl_str name; };
static bool bound(cl_arena *arena)
{
    cl_field fields[2] = {};
    fields[0].name = "name", fields[0].type = CL_F_STRING, fields[0].offset = offsetof(thing, name), fields[0].required = true;
    cl_json *object = cl_json_object(arena);
    cl_json_set(object, "name", cl_json_string(arena, cl_str_of("x")));
    thing into = {};
    for CL_JSON_EACH (child, object)
        if (!cl_str_is(child->key, "name"))
            return false;
    return cl_json_bind(arena, object, fields, true, &into, nullptr) == CL_OK && cl_str_is(into.name, "x");
}
static void handle(cl_context *, const cl_request *, cl_response *response, void *) { cl_status(response, 204); }
static const cl_route routes[] = {{"GET", "/", handle}, {}};
int main()
{
    static const cl_str literal = CL_STR_LIT("text");
    cl_arena *arena = cl_arena_new(0);
    cl_app app = {};
    app.routes = routes;
    cl_expr expr;
    cl_expr_init(&expr, arena);
    cl_expr_condition(&expr, "id", "exists", nullptr);
    cl_ddb_options options = {};
    cl_jwt *jwt = nullptr;
    cl_str message = {};
    cl_result refused = cl_jwt_secret(literal, false, nullptr, &jwt, &message);
    cl_log(CL_INFO, "text: " CL_FMT, CL_ARG(literal));
    bool good = bound(arena) && cl_expr_options(&expr, &options)->condition && refused == CL_CONFIG && !cl_arena_failed(arena);
    cl_arena_free(arena);
    std::puts(cl_ddb_error_name(CL_DDB_OK));
    return good && cl_run_app(&app, nullptr) == 2 ? 0 : 1;
}
'''


def pkg_config(name):
    env = {**os.environ, 'PKG_CONFIG_PATH': os.path.join(LIB, 'pkgconfig')}
    return shlex.split(subprocess.run(['pkg-config', '--cflags', '--libs', name], env=env, check=True, capture_output=True, text=True).stdout)


def test_the_shared_library_shows_what_the_headers_declare_and_needs_the_c_library_only():
    library = os.path.join(LIB, 'libcloudless-function.so')
    shown = subprocess.run(['nm', '-D', '--defined-only', library], check=True, capture_output=True, text=True).stdout
    declared = {name for path in HEADERS for name in re.findall(r'^CL_API [^;(]*?\b(cl_\w+)\(', open(path).read(), re.M)}
    assert len(declared) > 100 and {line.split()[2] for line in shown.splitlines()} == declared
    assert needs_only_an_old_enough_c_library(library)


@pytest.mark.parametrize('header', [os.path.basename(path) for path in HEADERS])
def test_each_header_stands_alone_in_c_and_cpp(header, tmp_path):
    (tmp_path / 'one').write_text(f'#include "cloudless/{header}"\n#include "cloudless/{header}"\n')
    for language, standard in ('c', 'c11'), ('c++', 'c++11'), ('c++', 'c++20'):
        subprocess.run(['gcc', '-x', language, f'-std={standard}', '-pedantic', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-I', INCLUDE, tmp_path / 'one'], check=True)


@pytest.mark.parametrize('package', ['cloudless-function', 'cloudless-function-shared'])
def test_a_program_in_cpp(package, tmp_path):
    (tmp_path / 'program.cc').write_text(CPP)
    subprocess.run(['g++', '-std=c++11', '-Wall', '-Wextra', '-Werror', '-Wno-missing-field-initializers', '-o', tmp_path / 'program', tmp_path / 'program.cc',
                    *pkg_config(package)], check=True)
    env = {'LD_LIBRARY_PATH': LIB}
    done = subprocess.run([tmp_path / 'program'], env=env, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout == 'CL_DDB_OK\n' and '"message":"text: text"}' in done.stderr, done
    assert ('libcloudless-function' in readelf('-d', str(tmp_path / 'program'))) == (package == 'cloudless-function-shared')
