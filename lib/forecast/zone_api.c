/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/options.h"
#include "forecast/forecaster.h"

static void fill_set(const psh_forecaster *f, const pshi_label_set *s, psh_zone *out) {
    const pshi_label_name *n;
    uint32_t i;

    out->label_count = s->count;
    for (i = 0; i < s->count; i++) {
        out->label_ids[i] = s->label[i];
        n = pshi_labels_find(&f->labels, s->label[i]);
        out->labels[i].name = n ? n->name : NULL;
        out->labels[i].value = n ? n->value : NULL;
    }
    if (s->tenant && s->tenant_votes)
        out->keys = (psh_subject){ PSH_SUBJECT_TENANT, s->table, s->tenant };
    else if (s->partition && s->partition_votes)
        out->keys = (psh_subject){ PSH_SUBJECT_PARTITION, s->table, s->partition };
}

psh_status psh_forecaster_zone(const psh_forecaster *f, uint32_t table, uint64_t id, psh_zone *out) {
    psh_subject subject = { PSH_SUBJECT_LABEL, table, id };
    const pshi_label_set *s;
    pshi_label_set one;
    psh_zone zone;

    if (!f || !out)
        return PSH_E_INVALID;
    s = pshi_labels_set(&f->labels, table, id);
    if (!s && !pshi_store_find(&f->store, &subject))
        return PSH_E_NOT_FOUND;
    memset(&one, 0, sizeof one);
    one.label[0] = id;
    one.count = 1;
    memset(&zone, 0, sizeof zone);
    zone.keys.kind = PSH_SUBJECT_TABLE;
    zone.keys.table = table;
    fill_set(f, s ? s : &one, &zone);
    return pshi_struct_out(out, &zone, sizeof zone);
}
