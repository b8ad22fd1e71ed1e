# SPDX-License-Identifier: MIT
"""predshard analyze end to end: each format, what is learned, what is forecast, and what can be wrong."""
import datetime
import lzma
import os
import random
import re
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import samples
from tool import Case

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(ROOT, '..', 'shared', 'data', 'query_logs')


def days(count=15, seed=3):
    """A made-up csvlog: busy on working days, most so at nine; hourly sums, points, joins and rows written."""
    draw = random.Random(seed)
    out = []
    for hour in range(24 * count):
        at = datetime.datetime(2026, 3, 2) + datetime.timedelta(hours=hour)
        rate = (12 if 8 <= at.hour < 18 else 4) + (30 if at.hour == 9 else 0)
        for second in sorted(draw.randrange(3600) for _ in range(rate if at.weekday() < 5 else rate // 3)):
            time = at + datetime.timedelta(seconds=second)
            since = time.replace(minute=0, second=0) - datetime.timedelta(hours=24)
            sql = draw.choice([
                "SELECT date_trunc('hour', created_at) h, shop, sum(amount) FROM orders WHERE created_at >= '%s' AND "
                "created_at < '%s' AND shop = %d GROUP BY 1, 2" % (since, since + datetime.timedelta(hours=24), draw.randrange(9)),
                'SELECT id, amount FROM orders WHERE id = %d' % draw.randrange(10 ** 6),
                "INSERT INTO orders (id, shop, amount, created_at) VALUES (%d, 1, 2.5, '%s')" % (draw.randrange(10 ** 6), time)])
            out.append('%s.100 UTC,"app","shop",1,"10.0.0.%d:9",,,,,,,LOG,00000,"%s",,,,,,,,,"web","client backend",,0\n'
                       % (time, draw.randrange(2), samples.message(5, sql).replace('"', '""')))
    return ''.join(out)


class Analyze(Case):
    command = 'analyze'

    def template(self, result, start):
        found = [t for t in result['templates'] if t['text'].lower().startswith(start.lower())]
        self.assertEqual(len(found), 1, [t['text'] for t in result['templates']])
        return found[0]

    # What is read.
    def test_formats(self):
        seen = set()
        for name, make in samples.LOGS.items():
            with self.subTest(name):
                _, result = self.good(self.write(make()))
                self.assertEqual(result['inputs'][0]['format'], name)
                self.assertEqual(result['inputs'][0]['skipped'], 0)
                sums = self.template(result, 'SELECT shop')
                self.assertEqual(sums['calls'], 2)
                self.assertTrue(sums['parsed'] and sums['fits'], sums)
                self.assertEqual(sums['tables'], ['orders'])
                self.assertIn({'table': 'orders', 'column': 'shop', 'role': 'filter', 'op': 'in'}, sums['uses'])
                self.assertIn({'table': 'orders', 'column': 'shop', 'role': 'grouping', 'op': None}, sums['uses'])
                if name not in ('mysql-general',):
                    self.assertAlmostEqual(sums['total_ns'], 23e6, delta=1e6)
                seen.add(sums['id'])
                if name == 'pg-stat-statements':
                    self.assertIsNone(result['ahead'])
                    self.assertIn('no times', result['why_not'])
                    continue
                self.check_statements(result, name)
        self.assertEqual(len(seen), 1, 'one statement has one fingerprint, whatever engine logged it')

    def check_statements(self, result, name):
        point = self.template(result, 'SELECT id')
        self.assertEqual(point['limit'], 1)
        self.assertTrue(point['parsed'])
        join = self.template(result, 'SELECT c.name')
        self.assertEqual(sorted(join['tables']), ['customers', 'orders'])
        self.assertEqual(join['why_not'], 'more than one table')
        self.assertEqual({(u['table'], u['column']) for u in join['uses'] if u['role'] == 'join'},
                         {('customers', 'id'), ('orders', 'customer')})
        oops = self.template(result, 'SELEC ')
        self.assertFalse(oops['parsed'])
        self.assertIn('SELEC', oops['why'])
        self.assertTrue(oops['id'].startswith('lex'))
        self.assertEqual(result['lexical'], 1)
        self.assertEqual(oops['first'][:18], '2026-03-02T10:00:0')
        if not name.startswith('mysql'):
            self.assertEqual(self.template(result, 'SELECT nothing')['failed'], 1)
            self.assertNotIn('nothing', [c['name'] for c in result['columns']])

    def test_forced_format_and_xz(self):
        path = self.path('log.xz')
        with lzma.open(path, 'wb') as file:
            file.write(samples.pg_csv().encode())
        _, result = self.good(path, '--format', 'pg-csv', '--sample-rate', '0.1')
        self.assertAlmostEqual(result['calls'], 60)

    def test_newer_forms(self):
        """Times and words of MySQL 8 and of newer ClickHouse."""
        slow = re.sub(r'# Time: 260302 (\S+)', r'# Time: 2026-03-02T\1.250000Z', samples.mysql_slow())
        slow = re.sub(r'SET timestamp=\d+;\n', '', slow).replace('@ localhost []', '@ web [10.0.0.9]  Id:    12')
        general = re.sub(r'(?m)^260302 (\S+)', r'2026-03-02T\1.250000Z', samples.mysql_general())
        words = {'"type": 1': '"type": "QueryStart"', '"type": 2': '"type": "QueryFinish"', '"type": 3': '"type": "ExceptionBeforeStart"',
                 '"query_start_time"': '"query_start_time_microseconds"'}
        house = re.sub('|'.join(words), lambda m: words[m.group()], samples.clickhouse_json())
        for text, name in ((slow, 'mysql-slow'), (general, 'mysql-general'), (house, 'clickhouse-json')):
            with self.subTest(name):
                _, result = self.good(self.write(text))
                self.assertEqual(result['inputs'][0]['format'], name)
                self.assertEqual(self.template(result, 'SELECT shop')['calls'], 2)
                self.assertEqual(result['first'][:16], '2026-03-02T10:00')

    def test_several_logs(self):
        a, b = self.write(samples.pg_csv(), 'a'), self.write(samples.clickhouse_json(), 'b')
        text, result = self.good(a, b)
        self.assertEqual(self.template(result, 'SELECT shop')['calls'], 4)
        self.assertIn('pg-csv', text)
        self.assertIn('clickhouse-json', text)

    def test_dialects(self):
        for make, statements in (
                (samples.mysql_general, ['SELECT `a` FROM `t` WHERE b = "x" LIMIT 5, 10', 'SELECT a FROM t FORCE INDEX (i) WHERE c > NOW() - INTERVAL 1 DAY',
                                         'INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 2', "SELECT a FROM t WHERE b = 'it\\'s'"]),
                (samples.clickhouse_json, ['SELECT toStartOfHour(ts) AS h, count() FROM t PREWHERE a = 1 OR a = 2 WHERE b = 3 GROUP BY h WITH TOTALS SETTINGS max_threads = 1',
                                           'SELECT a FROM t FINAL WHERE a GLOBAL IN (1, 2) LIMIT 2 BY a LIMIT 5 FORMAT TSV', 'INSERT INTO t (a, b) FORMAT Values',
                                           'SELECT a FROM t ANY LEFT JOIN u USING (k) WHERE ts >= today() - 7'])):
            for sql in statements:
                with self.subTest(sql):
                    work, samples.WORK = samples.WORK, [(0, 'app', 1, 1, sql)]
                    try:
                        _, result = self.good(self.write(make()))
                    finally:
                        samples.WORK = work
                    one = [t for t in result['templates'] if 'nothing' not in t['text']]
                    self.assertEqual([t['why'] for t in one], [None])
                    self.assertIn('t', one[0]['tables'])

    def test_tables_with_numbers(self):
        """PostgreSQL's fingerprint takes t10 and t11 for one; they are two tables."""
        work, samples.WORK = samples.WORK, [(i, 'app', 1, 1, 'SELECT a FROM t%d WHERE b = %d' % (10 + i % 2, i)) for i in range(6)]
        try:
            _, result = self.good(self.write(samples.pg_json()))
        finally:
            samples.WORK = work
        found = {t['tables'][0]: t['calls'] for t in result['templates'] if t['tables']}
        self.assertEqual(found, {'t10': 3, 't11': 3})

    def test_parameters(self):
        """The extended protocol: parse and bind are no executions, values stand in the detail."""
        lines = []
        for i in range(3):
            for what, detail in (('parse <unnamed>', ''), ('bind <unnamed>', ''),
                                 ('execute <unnamed>', "parameters: $1 = '2026-03-0%d 00:00:00', $2 = 'it''s'" % (i + 1))):
                lines.append('2026-03-02 10:00:0%d UTC [7] app@shop web LOG:  duration: 1.000 ms  %s: SELECT shop, count(*) FROM orders '
                             'WHERE created_at >= $1 AND note = $2 GROUP BY shop\n' % (i, what))
                if detail:
                    lines.append('2026-03-02 10:00:0%d UTC [7] app@shop web DETAIL:  %s\n' % (i, detail))
        _, result = self.good(self.write(''.join(lines)), '--time-column', 'orders.created_at')
        self.assertEqual((result['calls'], len(result['templates'])), (3, 1))
        self.assertEqual(result['ahead']['fitting'], 3, result['templates'][0]['why_not'])
        self.assertGreater(result['views'][0]['reach_ns'], 24 * 3600 * 10 ** 9)

    # What is said of the future.
    def test_views_and_forecasts(self):
        path = self.write(days())
        text, result = self.good(path, '--now', '2026-03-16')
        sums, write = self.template(result, 'SELECT date_trunc'), self.template(result, 'INSERT')
        self.assertTrue(sums['fits'], sums['why_not'])
        self.assertGreater(result['ahead']['later'], 0)
        self.assertEqual(result['ahead']['bucket_ns'], 3600 * 10 ** 9)
        self.assertEqual([t['time_column'] for t in result['tables']], ['created_at'])
        self.assertEqual(len(sums['ahead']['mean']), 24)
        nine, night = sums['ahead']['mean'][9], sums['ahead']['mean'][3]
        self.assertGreater(nine, 2 * night)
        actual = sum(line.startswith('2026-03-16') and 'date_trunc' in line for line in days().splitlines())
        self.assertLess(abs(sums['expected'] - actual), 0.5 * actual)
        self.assertGreater(write['expected'], 10)
        self.assertEqual(len(result['views']), 1)
        view = result['views'][0]
        self.assertIn('bucket(1h), shop, sum(amount)', view['definition'])
        self.assertEqual(view['table'], 'orders')
        self.assertGreater(view['confidence'], 0.5)
        self.assertGreater(view['reach_ns'], 23 * 3600 * 10 ** 9)
        self.assertIn(view['access'], ('point', 'range', 'scan'))
        self.assertIn('Predicted views', text)
        again = self.good(path, '--now', '2026-03-16')
        self.assertEqual((text, result), again, 'the same log gives the same answer')

    def test_page(self):
        self.assertEqual(self.check_page(self.write(days(3)))['format'], 'predshard-analysis')
        evil = samples.pg_json().replace('SELEC oops', 'SELEC </script><script>alert(1)</script>')
        result = self.check_page(self.write(evil))
        self.assertTrue(any('alert(?)' in t['text'] for t in result['templates']))

    # What is wrong.
    def test_usage(self):
        log = self.write(samples.pg_csv())
        for args in ([], ['--nothing', log], [log, '--format', 'oracle'], [log, '--sample-rate', '2'], [log, '--top', '0'],
                     [log, '--now', 'soon'], [log, '--bucket', '5'], [log, '--window', '1y'], [log, '--time-column', 'x'],
                     [log, '--time-column', 'orders.nothing'], [log, '--window', '900d'], [log, '--now', '2001-01-01']):
            self.bad(2, [], *args)
        self.bad(7, ['--html'], log, '--html', self.path('no/such/file'))
        self.assertEqual(self.run_tool('--help').returncode, 0)

    def test_input(self):
        self.bad(3, ['nowhere', 'No such file'], self.path('nowhere'))
        self.bad(4, ['no known query log', '--format'], self.write('hello\nworld\n'))
        self.bad(4, ['no known query log'], self.write(''))
        self.bad(4, ['no statement'], self.write('2026-03-02 10:00:00 UTC [1] LOG:  ready\n'))
        self.bad(4, ['header'], self.write('a\tb\n1\t2\n'), '--format', 'clickhouse-tsv')
        self.bad(4, ['damaged'], self.write(lzma.compress(samples.pg_csv().encode())[:200]))

    def test_damage_inside(self):
        text = samples.pg_json().replace('\n', '\n{"broken\n', 1)
        _, result = self.good(self.write(text))
        self.assertEqual(result['inputs'][0]['skipped'], 1)
        _, result = self.good(self.write(samples.mysql_slow().encode() + b'\xff\xfe nonsense \x00 \x01;\n'))
        self.assertEqual(self.template(result, 'SELECT shop')['calls'], 2)
        deep = 'SELECT ' + '(' * 5000 + '1' + ')' * 5000 + ' FROM orders'
        _, result = self.good(self.write(samples.pg_json() + samples.pg_json().replace('SELEC oops FROM orders', deep)))
        self.assertTrue(result['templates'])

    def test_bounds(self):
        work, samples.WORK = samples.WORK, [(0, 'app', 1, 1, 'SELECT a FROM tab_%d WHERE b = 1' % i) for i in range(1100)]
        try:
            text, result = self.good(self.write(samples.pg_json()))
        finally:
            samples.WORK = work
        self.assertEqual((result['calls'], len(result['tables'])), (1101, 1000))
        self.assertGreaterEqual(result['tables_refused'], 100)
        self.assertIn('beyond the first 1000', text)

    # Real logs, where they are.
    def test_real_logs(self):
        if not os.path.isdir(SHARED):
            self.skipTest('no ../shared/data/query_logs beside the source: the real logs are not looked at')
        ids = []
        for name in sorted(os.listdir(SHARED)):
            if name in ('ORIGIN', 'workload.sql'):
                continue
            with self.subTest(name):
                _, result = self.good(os.path.join(SHARED, name))
                self.assertEqual(result['inputs'][0]['skipped'], 0)
                sums = self.template(result, 'SELECT rf, ls, sum')
                self.assertIn(sums['calls'], (3, 6))
                ids.append(sums['id'])
        self.assertEqual(len(set(ids)), 1)


if __name__ == '__main__':
    unittest.main(verbosity=2)
