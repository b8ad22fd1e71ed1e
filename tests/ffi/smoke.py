#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives the shared library through ctypes, as a binding would: no macro, no inline, no struct return needed."""
import ctypes as c
import sys

lib = c.CDLL(sys.argv[1])
HOUR = 3600 * 10**9
DAY = 24 * HOUR
T0 = 978307200 * 10**9
NONE = 0xFFFFFFFF
P = c.c_void_p


class Error(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("code", c.c_int32), ("host_code", c.c_int64),
                ("field", c.c_char * 64), ("text", c.c_char * 192)]


class Column(c.Structure):
    _fields_ = [("name", c.c_char_p), ("type", c.c_uint32), ("collation", c.c_uint32), ("scale", c.c_uint32),
                ("flags", c.c_uint32)]


class Table(c.Structure):
    _fields_ = [("name", c.c_char_p), ("columns", c.POINTER(Column)), ("column_count", c.c_size_t),
                ("column_stride", c.c_size_t), ("key_columns", c.POINTER(c.c_uint32)), ("key_count", c.c_size_t),
                ("tenant_column", c.c_uint32), ("time_column", c.c_uint32), ("interval_ns", c.c_int64),
                ("interval_origin", c.c_int64)]


class Write(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("table", c.c_uint32), ("time", c.c_int64), ("tenant", c.c_uint64),
                ("partition", c.c_uint64), ("rows", c.c_uint64), ("bytes", c.c_uint64), ("labels", P),
                ("label_count", c.c_size_t)]


class Subject(c.Structure):
    _fields_ = [("kind", c.c_uint32), ("table", c.c_uint32), ("id", c.c_uint64)]


class Forecast(c.Structure):
    _fields_ = [("struct_size", c.c_uint32), ("reason", c.c_uint32), ("subject", Subject), ("made_at", c.c_int64),
                ("begin", c.c_int64), ("step_ns", c.c_int64), ("steps", c.c_uint32), ("level_count", c.c_uint32),
                ("mean", c.POINTER(c.c_double)), ("levels", c.POINTER(c.c_double)),
                ("quantiles", c.POINTER(c.c_double)), ("skill", c.c_double)]


def ok(status):
    if status != 0:
        raise SystemExit(f"{lib.psh_status_name(status).decode()}: {error.field.decode()}: {error.text.decode()}")


for name in ("psh_status_name", "psh_status_text", "psh_version"):
    getattr(lib, name).restype = c.c_char_p
lib.psh_buffer_data.restype = P
lib.psh_buffer_size.restype = c.c_size_t
error = Error(c.sizeof(Error))
err = c.byref(error)
print("version", lib.psh_version().decode())

env, schema, forecaster, forecast, buffer = P(), P(), P(), P(), P()
ok(lib.psh_env_create(None, c.byref(env), err))

columns = (Column * 2)(Column(b"tenant", 6, 0, 0, 0), Column(b"at", 5, 0, 0, 0))
key = (c.c_uint32 * 2)(0, 1)
table = Table(b"events", columns, 2, c.sizeof(Column), key, 2, 0, 1, DAY, 0)
ok(lib.psh_schema_create(env, c.byref(table), c.c_size_t(1), c.c_size_t(c.sizeof(Table)), c.byref(schema), err))

# A bad spec is refused with the field's name.
table.interval_ns = 0
bad = P()
assert lib.psh_schema_create(env, c.byref(table), c.c_size_t(1), c.c_size_t(c.sizeof(Table)), c.byref(bad), err) == -1
assert b"interval" in error.field, error.field
assert not bad.value

ok(lib.psh_forecaster_create(env, schema, None, c.byref(forecaster), err))
for hour in range(24 * 21):
    rows = 100 + 80 * (8 <= hour % 24 < 20)
    record = Write(c.sizeof(Write), 0, T0 + hour * HOUR, 0, 0, rows, rows * 50, None, 0)
    ok(lib.psh_forecaster_observe_write(forecaster, c.byref(record)))
    while (status := lib.psh_forecaster_step(forecaster, c.c_int64(T0 + hour * HOUR), 1000)) == 1:
        pass
    ok(status)
now = T0 + 24 * 21 * HOUR
subject = Subject(1, 0, 0)
ok(lib.psh_forecaster_forecast(forecaster, c.byref(subject), c.c_int64(now), 24, c.byref(forecast), err))
spec = Forecast(c.sizeof(Forecast))
ok(lib.psh_forecast_describe(forecast, c.byref(spec)))
mean = [spec.mean[i] for i in range(spec.steps)]
print("forecast", [round(x) for x in mean])
assert spec.steps == 24 and abs(mean[12] - 180) < 20 and abs(mean[2] - 100) < 20

ok(lib.psh_buffer_create(env, c.byref(buffer)))
ok(lib.psh_forecaster_save(forecaster, buffer))
saved = c.string_at(lib.psh_buffer_data(buffer), lib.psh_buffer_size(buffer))
again = P()
ok(lib.psh_forecaster_load(env, schema, saved, c.c_size_t(len(saved)), c.c_size_t(0), c.byref(again), err))
broken = bytearray(saved)
broken[len(broken) // 2] ^= 1
assert lib.psh_forecaster_load(env, schema, bytes(broken), c.c_size_t(len(broken)), c.c_size_t(0), c.byref(bad),
                               err) == -7

lib.psh_buffer_destroy(buffer)
lib.psh_forecast_unref(forecast)
lib.psh_forecaster_destroy(again)
lib.psh_forecaster_destroy(forecaster)
lib.psh_schema_unref(schema)
lib.psh_env_destroy(env)
print("ok")
