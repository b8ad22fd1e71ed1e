/* SPDX-License-Identifier: MIT */
#include "../map_command.h"

#include <string.h>

#include "commands.h"
#include "words.h"

int map_write(sight *s, json_t *result) {
    if (result && s->o->json && s->f->code == EXIT_DONE)
        output_json(result, s->o->json, s->f);
    json_decref(result);
    return s->f->code;
}

json_t *map_result(sight *s, const char *what) {
    json_t *result = json_object();

    if (!result) {
        fail_memory(s->f);
        return NULL;
    }
    put_text(result, "format", "predshard-map", s->f);
    put_text(result, "command", what, s->f);
    put_text(result, "source", s->o->db ? s->o->db : s->o->file, s->f);
    return result;
}

void map_print(const psh_buffer *b, FILE *to) {
    fputs(psh_buffer_data(b), to);
}

static int run_command(sight *s, FILE *to) {
    static int (*const commands[])(sight *, FILE *) = {
        [MAP_SHOW] = map_show, [MAP_DIFF] = map_diff, [MAP_PLAN] = map_plan, [MAP_CHECK] = map_check,
        [MAP_EXPLAIN] = map_explain,
    };

    return commands[s->o->command](s, to);
}

int map_main(int argc, char **argv, failure *f) {
    map_options o;
    sight s;

    if (map_parse(argc, argv, &o, f))
        return f->code;
    if (o.command == MAP_HELP) {
        fputs(map_help(), stdout);
        return EXIT_DONE;
    }
    if (output_check("json", o.json, f) || output_check("save", o.save, f))
        return f->code;
    memset(&s, 0, sizeof s);
    if (sight_open(&s, &o, f) == EXIT_DONE)
        run_command(&s, o.json && strcmp(o.json, "-") == 0 ? stderr : stdout);
    sight_close(&s);
    return f->code;
}
