/* SPDX-License-Identifier: MIT */
/* LMDB with integer keys, in a folder of its own that goes with it. A read transaction and a cursor stay open. */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "map_peers.h"
#include "tool.h"

typedef struct lmdb_map {
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *read;
    MDB_cursor *cursor;
    char folder[256];
} lmdb_map;

static void must(int code, const char *what) {
    if (code)
        bench_die(BENCH_INTERNAL, "LMDB, %s: %s", what, mdb_strerror(code));
}

static inline uint32_t lmdb_find(const lmdb_map *t, uint64_t key) {
    MDB_val k = { sizeof key, &key }, v;
    uint32_t owner;
    uint64_t found;
    int code = mdb_cursor_get(t->cursor, &k, &v, MDB_SET_RANGE);

    if (!code)
        memcpy(&found, k.mv_data, sizeof found);
    if (code == MDB_NOTFOUND)
        code = mdb_cursor_get(t->cursor, &k, &v, MDB_LAST);
    else if (!code && found != key)
        code = mdb_cursor_get(t->cursor, &k, &v, MDB_PREV);
    if (code)
        return 0;
    memcpy(&owner, v.mv_data, sizeof owner);
    return owner;
}

MAP_LOOPS(lmdb, lmdb_map, lmdb_find)

static void lmdb_destroy(void *self) {
    lmdb_map *t = self;
    char path[300];

    if (t->cursor)
        mdb_cursor_close(t->cursor);
    if (t->read)
        mdb_txn_abort(t->read);
    mdb_env_close(t->env);
    snprintf(path, sizeof path, "%s/data.mdb", t->folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/lock.mdb", t->folder);
    unlink(path);
    rmdir(t->folder);
    free(t);
}

static void open_map(lmdb_map *t) {
    const char *dir = getenv("TMPDIR");
    MDB_txn *txn;

    snprintf(t->folder, sizeof t->folder, "%s/bench_map_XXXXXX", dir ? dir : P_tmpdir);
    if (!mkdtemp(t->folder))
        bench_die(BENCH_NO_OUTPUT, "no folder for LMDB under %s", dir ? dir : P_tmpdir);
    must(mdb_env_create(&t->env), "create");
    must(mdb_env_set_mapsize(t->env, (size_t)1 << 30), "map size");
    must(mdb_env_open(t->env, t->folder, MDB_WRITEMAP | MDB_NOSYNC | MDB_NOTLS, 0600), "open");
    must(mdb_txn_begin(t->env, NULL, 0, &txn), "begin");
    must(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY | MDB_CREATE, &t->dbi), "database");
    must(mdb_txn_commit(txn), "commit");
}

static void put(lmdb_map *t, MDB_txn *txn, uint64_t key, uint32_t value, unsigned flags) {
    MDB_val k = { sizeof key, &key }, v = { sizeof value, &value };

    must(mdb_put(txn, t->dbi, &k, &v, flags), "put");
}

map_peer map_lmdb(const uint64_t *keys, uint32_t n) {
    lmdb_map *t = bench_alloc(1, sizeof *t);
    map_peer p = { "lmdb", t, lmdb_independent, lmdb_dependent, lmdb_destroy, 0 };
    MDB_txn *txn;
    uint32_t i;

    open_map(t);
    must(mdb_txn_begin(t->env, NULL, 0, &txn), "begin");
    for (i = 0; i < n; i++)
        put(t, txn, keys[i], i, MDB_APPEND);
    must(mdb_txn_commit(txn), "commit");
    must(mdb_txn_begin(t->env, NULL, MDB_RDONLY, &t->read), "begin");
    must(mdb_cursor_open(t->read, t->dbi, &t->cursor), "cursor");
    return p;
}

void map_lmdb_put(void *self, uint64_t key, uint32_t value) {
    lmdb_map *t = self;
    MDB_txn *txn;

    if (t->read) { /* an old reader would keep LMDB from using its pages again */
        mdb_cursor_close(t->cursor);
        mdb_txn_abort(t->read);
        t->read = NULL;
        t->cursor = NULL;
    }
    must(mdb_txn_begin(t->env, NULL, 0, &txn), "begin");
    put(t, txn, key, value, 0);
    must(mdb_txn_commit(txn), "commit");
}
