/* command_new.c -- `cloudless new NAME`: copies share/cloudless/templates/common and that of the language to a folder NAME.
 *
 * In the files @NAME@ becomes the project's name and @PREFIX@ the folder where Cloudless is installed or was built. A file
 * or folder of the name that is there already is left alone. */
#include "base/buf.h"
#include "main/command.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEMPLATE_BYTES_MAX (1u << 20)
#define NAME_CHARS_MAX 48           /* a function's name has 64; the templates add to it */

static bool said(const char *what, const char *path)
{
    fprintf(stderr, "cloudless: %s '%s': %s\n", what, path, strerror(errno));
    return false;
}

/* `text` with every @NAME@ and @PREFIX@ filled in. */
static struct str fill_marks(struct str text, const char *name, const char *prefix, struct arena *arena)
{
    const struct { struct str mark; const char *value; } marks[] = {{STR("@NAME@"), name}, {STR("@PREFIX@"), prefix}};
    struct buf out;
    buf_init(&out, arena, 4 * TEMPLATE_BYTES_MAX);
    while (text.n) {
        size_t at = str_find(text, '@'), skip = at < text.n ? 1 : 0;
        buf_add(&out, str_slice(text, 0, at));
        text = str_slice(text, at, text.n);
        struct str with = str_slice(text, 0, skip);
        for (size_t i = 0; i < COUNT_OF(marks); i++)
            if (str_starts(text, marks[i].mark)) {
                with = str_of(marks[i].value);
                skip = marks[i].mark.n;
            }
        buf_add(&out, with);
        text = str_slice(text, skip, text.n);
    }
    return buf_str(&out);
}

static bool copy_file(const char *from, const char *to, const char *name, const char *prefix, struct arena *arena)
{
    struct stat st;
    FILE *in = fopen(from, "rb");
    if (!in || fstat(fileno(in), &st) != 0) {
        if (in)
            fclose(in);
        return said("cannot read", from);
    }
    char *bytes = arena_alloc(arena, TEMPLATE_BYTES_MAX);
    struct str text = fill_marks((struct str){bytes, fread(bytes, 1, TEMPLATE_BYTES_MAX, in)}, name, prefix, arena);
    fclose(in);
    FILE *out = fopen(to, "wxb");
    bool fine = out && fwrite(text.p, 1, text.n, out) == text.n && fchmod(fileno(out), st.st_mode & 0777) == 0;
    fine = out && fclose(out) == 0 && fine;
    return fine || said("cannot write", to);
}

static bool copy_template(const char *template, const char *name, const char *prefix, struct arena *arena)
{
    DIR *folder = opendir(template);
    if (!folder)
        return said("cannot read", template);
    bool fine = true;
    for (struct dirent *entry; fine && (entry = readdir(folder));) {
        struct str file = str_of(entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        fine = copy_file(arena_printf(arena, "%s/%s", template, file.p).p, arena_printf(arena, "%s/%s", name, file.p).p, name,
                         prefix, arena);
    }
    closedir(folder);
    return fine;
}

int command_new(const struct options *options, struct arena *arena)
{
    const char *name = options->words[0];
    if (options->word_count != 1 || strlen(name) > NAME_CHARS_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != strlen(name) || *name == '-' || *name == '\0') {
        fprintf(stderr,
                "cloudless: '%s': a project has one name of at most %d small letters, digits and hyphens, like orders-api\n",
                options->words[options->word_count - 1], NAME_CHARS_MAX);
        return EXIT_USAGE;
    }
    const char *prefix = options_program_dir(arena);
    if (mkdir(name, 0777) != 0) {
        said("cannot make", name);
        return EXIT_FAILED;
    }
    const char *const parts[] = {"common", options->lang};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (!copy_template(arena_printf(arena, "%s/share/cloudless/templates/%s", prefix, parts[i]).p, name, prefix, arena))
            return EXIT_FAILED;
    printf("%s: made. Next: cd %s && make && make test, then make deploy with a server running (README.md says more)\n", name,
           name);
    return EXIT_FINE;
}
