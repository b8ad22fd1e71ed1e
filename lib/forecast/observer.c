/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <string.h>

#include "base/env.h"
#include "forecast/forecaster.h"

#define MOST_RECORDS (1u << 20)
#define FEW_RECORDS 1024u

typedef struct observed {
    uint32_t is_query;
    uint32_t reserved;
    union {
        psh_query_record query; /* holds a reference */
        pshi_written write;
    } as;
} observed;

/*
 * One producer, one consumer: the producer alone moves tail, the consumer alone moves head; what lies between
 * is the consumer's. Release on moving, acquire on reading the other's, so that records are seen whole.
 */
struct psh_observer {
    psh_forecaster *f;
    const psh_schema *schema;
    psh_observer *next;
    observed *ring;
    size_t capacity;
    _Atomic size_t head;
    _Atomic size_t tail;
    _Atomic uint64_t shed;
};

static uint64_t observer_size(size_t capacity) {
    return sizeof(psh_observer) + capacity * sizeof(observed);
}

psh_status psh_observer_create(psh_forecaster *f, uint32_t capacity, psh_observer **out) {
    psh_observer *o, **at;

    if (out)
        *out = NULL;
    if (!f || !out || capacity > MOST_RECORDS)
        return PSH_E_INVALID;
    o = pshi_calloc(f->env, 1, sizeof *o);
    if (!o)
        return PSH_E_NOMEM;
    o->f = f;
    o->schema = f->schema;
    o->capacity = capacity ? capacity : FEW_RECORDS;
    o->ring = pshi_alloc(f->env, o->capacity * sizeof *o->ring);
    if (!o->ring) {
        pshi_free(f->env, o);
        return PSH_E_NOMEM;
    }
    atomic_init(&o->head, 0);
    atomic_init(&o->tail, 0);
    atomic_init(&o->shed, 0);
    for (at = &f->observers; *at; at = &(*at)->next) {
    }
    *at = o;
    f->observer_bytes += observer_size(o->capacity);
    *out = o;
    return PSH_OK;
}

static void release_record(observed *r) {
    if (r->is_query)
        psh_query_unref(r->as.query.query);
}

void psh_observer_destroy(psh_observer *o) {
    psh_observer **at;
    size_t i, tail;

    if (!o)
        return;
    for (at = &o->f->observers; *at != o; at = &(*at)->next) {
    }
    *at = o->next;
    tail = atomic_load_explicit(&o->tail, memory_order_acquire);
    for (i = atomic_load_explicit(&o->head, memory_order_relaxed); i != tail; i++)
        release_record(&o->ring[i % o->capacity]);
    o->f->observer_bytes -= observer_size(o->capacity);
    pshi_free(o->f->env, o->ring);
    pshi_free(o->f->env, o);
}

/* The producer's next free record, or NULL when full. */
static observed *next_free(psh_observer *o) {
    size_t tail = atomic_load_explicit(&o->tail, memory_order_relaxed);
    size_t head = atomic_load_explicit(&o->head, memory_order_acquire);

    if (tail - head < o->capacity)
        return &o->ring[tail % o->capacity];
    atomic_fetch_add_explicit(&o->shed, 1, memory_order_relaxed);
    return NULL;
}

static void publish(psh_observer *o) {
    size_t tail = atomic_load_explicit(&o->tail, memory_order_relaxed);

    atomic_store_explicit(&o->tail, tail + 1, memory_order_release);
}

psh_status psh_observer_query(psh_observer *o, const psh_query_record *r) {
    psh_query_record read;
    observed *at;
    psh_status st;

    if (!o)
        return PSH_E_INVALID;
    st = pshi_query_record_read(o->schema, r, &read);
    if (st != PSH_OK)
        return st;
    at = next_free(o);
    if (!at)
        return PSH_E_LIMIT;
    at->is_query = 1;
    at->as.query = read;
    psh_query_ref(read.query);
    publish(o);
    return PSH_OK;
}

psh_status psh_observer_write(psh_observer *o, const psh_write_record *r) {
    pshi_written read;
    observed *at;
    psh_status st;

    if (!o)
        return PSH_E_INVALID;
    st = pshi_write_record_read(o->schema, r, &read);
    if (st != PSH_OK)
        return st;
    at = next_free(o);
    if (!at)
        return PSH_E_LIMIT;
    at->is_query = 0;
    at->as.write = read;
    publish(o);
    return PSH_OK;
}

uint64_t psh_observer_shed(const psh_observer *o) {
    return o ? atomic_load_explicit(&o->shed, memory_order_relaxed) : 0;
}

/* What is too late or beyond a limit is counted by the forecaster and gone; for lack of memory it stays. */
static psh_status drain_one(psh_forecaster *f, psh_observer *o) {
    size_t tail = atomic_load_explicit(&o->tail, memory_order_acquire);
    size_t head = atomic_load_explicit(&o->head, memory_order_relaxed);
    observed *r;
    psh_status st;

    for (; head != tail; head++) {
        r = &o->ring[head % o->capacity];
        st = r->is_query ? pshi_take_query(f, &r->as.query) : pshi_take_write(f, &r->as.write);
        if (st == PSH_E_NOMEM)
            return st;
        release_record(r);
        atomic_store_explicit(&o->head, head + 1, memory_order_release);
    }
    return PSH_OK;
}

psh_status pshi_observers_drain(psh_forecaster *f) {
    psh_observer *o;
    psh_status st = PSH_OK;

    for (o = f->observers; st == PSH_OK && o; o = o->next)
        st = drain_one(f, o);
    return st;
}
