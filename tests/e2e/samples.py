# SPDX-License-Identifier: MIT
"""One small workload, made up, as each kind of query log writes it."""
import csv
import io
import json

# (second of 2026-03-02 10:00, user, ms, rows, statement)
WORK = [
    (0, 'app', 12.5, 3, "SELECT shop, sum(amount) FROM orders WHERE shop IN (1, 2) GROUP BY shop"),
    (1, 'app', 10.5, 3, "select shop ,  SUM(amount) from orders where shop in (3,4,5) group by shop -- again"),
    (2, 'etl', 2.0, 1, "SELECT id, 'it''s' FROM orders WHERE id = 7 /* one */ ORDER BY id LIMIT 1"),
    (3, 'etl', 4.0, 9, "SELECT c.name, count(*) FROM orders o JOIN customers c ON c.id = o.customer GROUP BY c.name"),
    (4, 'etl', 1.0, 1, "SELEC oops FROM orders"),
]


def stamp(second):
    return '2026-03-02 10:00:%02d' % second


def message(ms, sql):
    return 'duration: %.3f ms  statement: %s' % (ms, sql)


def pg_csv():
    out = io.StringIO()
    write = csv.writer(out, lineterminator='\n')
    for second, user, ms, _, sql in WORK:
        row = [''] * 26
        row[0], row[1], row[2], row[4] = stamp(second) + '.500 UTC', user, 'shop', '10.0.0.1:5000'
        row[11], row[12], row[13], row[22] = 'LOG', '00000', message(ms, sql.replace(' FROM', '\n  FROM')), 'web'
        write.writerow(row)
    row[11], row[13], row[19] = 'ERROR', 'column "nothing" does not exist', 'SELECT nothing FROM orders'
    write.writerow(row)
    return out.getvalue()


def pg_json():
    rows = [{'timestamp': stamp(second) + '.500 UTC', 'user': user, 'dbname': 'shop', 'error_severity': 'LOG',
             'message': message(ms, sql)} for second, user, ms, _, sql in WORK]
    rows.append({'timestamp': stamp(5) + ' UTC', 'user': 'app', 'error_severity': 'ERROR', 'message': 'no such column',
                 'statement': 'SELECT nothing FROM orders'})
    return ''.join(json.dumps(row) + '\n' for row in rows)


def pg_stderr():
    lines = ['%s.500 UTC [7] %s@shop web LOG:  %s\n' % (stamp(second), user, message(ms, sql.replace(' FROM', '\n\t  FROM')))
             for second, user, ms, _, sql in WORK]
    lines.append('%s UTC [7] app@shop web ERROR:  column "nothing" does not exist at character 8\n' % stamp(5))
    lines.append('%s UTC [7] app@shop web STATEMENT:  SELECT nothing FROM orders\n' % stamp(5))
    return ''.join(lines)


def pg_statements():
    out = io.StringIO()
    write = csv.writer(out, lineterminator='\n')
    write.writerow(['queryid', 'calls', 'rows', 'total_exec_time', 'query'])
    write.writerow([1, 2, 6, 23.0, 'SELECT shop, sum(amount) FROM orders WHERE shop IN ($1, $2) GROUP BY shop'])
    write.writerow([2, 5, 5, 10.0, 'SELECT id FROM orders WHERE id = $1'])
    return out.getvalue()


def mysql_slow():
    out = ['mariadbd, Version: 10.11.19-MariaDB (Debian 12). started with:\n', 'Tcp port: 3306  Unix socket: /run/s.sock\n',
           'Time\t\t    Id Command\tArgument\n']
    for second, user, ms, rows, sql in WORK:
        out.append('# Time: 260302 10:00:%02d\n# User@Host: %s[%s] @ localhost []\n# Thread_id: 3  Schema: shop  QC_hit: No\n'
                   '# Query_time: %.6f  Lock_time: 0.000100  Rows_sent: %d  Rows_examined: 100\n'
                   '# Rows_affected: 0  Bytes_sent: 70\nSET timestamp=%d;\n%s;\n'
                   % (second, user, user, ms / 1000, rows, 1772445600 + second, sql.replace(' -- again', '').replace('orders o', '`orders` o')))
    return ''.join(out)


def mysql_general():
    out = ['Time\t\t    Id Command\tArgument\n', '260302 10:00:00\t     3 Connect\tapp@localhost on shop using Socket\n']
    for second, _, _, _, sql in WORK:
        out.append('260302 10:00:%02d\t     3 Query\t%s\n' % (second, sql.replace(' -- again', '\n# again')))
    return ''.join(out) + '\t\t     3 Quit\t\n'


def clickhouse_rows():
    for second, user, ms, rows, sql in WORK:
        for kind in (1, 2):
            yield {'type': kind, 'event_time': stamp(second), 'query_start_time': stamp(second), 'query_duration_ms': round(ms),
                   'read_rows': 100, 'result_rows': rows, 'result_bytes': 70, 'is_initial_query': 1, 'user': user,
                   'query': sql.replace(' WHERE id', ' PREWHERE id').replace('LIMIT 1', 'LIMIT 1 FORMAT JSON')}
    yield {'type': 3, 'event_time': stamp(5), 'query_start_time': stamp(5), 'query_duration_ms': 0, 'read_rows': 0, 'result_rows': 0,
           'result_bytes': 0, 'is_initial_query': 1, 'user': 'app', 'query': 'SELECT nothing FROM orders'}


def clickhouse_json():
    return ''.join(json.dumps(dict(row, query_duration_ms=str(row['query_duration_ms']))) + '\n' for row in clickhouse_rows())


def clickhouse_tsv():
    rows = list(clickhouse_rows())
    cell = lambda x: str(x).replace('\\', '\\\\').replace('\t', '\\t').replace('\n', '\\n').replace("'", "\\'")
    lines = [list(rows[0]), ['UInt8' if name != 'query' else 'String' for name in rows[0]]] + [[cell(x) for x in row.values()] for row in rows]
    return ''.join('\t'.join(line) + '\n' for line in lines)


LOGS = {
    'pg-csv': pg_csv, 'pg-json': pg_json, 'pg-stderr': pg_stderr, 'pg-stat-statements': pg_statements, 'mysql-slow': mysql_slow,
    'mysql-general': mysql_general, 'clickhouse-tsv': clickhouse_tsv, 'clickhouse-json': clickhouse_json,
}
