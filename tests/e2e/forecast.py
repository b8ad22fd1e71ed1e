# SPDX-License-Identifier: MIT
"""predshard forecast end to end: columns and times found, gaps, models, and what can be wrong with a file."""
import datetime
import math
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from tool import Case

START = datetime.datetime(2026, 1, 5)


def hourly(count=24 * 21, form='%Y-%m-%d %H:%M:%S', skip=()):
    """Two made-up rhythms, day and week, exactly repeated."""
    return ['%s,%.3f\n' % ((START + datetime.timedelta(hours=i)).strftime(form), value(i)) for i in range(count) if i not in skip]


def value(i):
    return 100 + 40 * math.sin(2 * math.pi * (i % 24) / 24) + 10 * (i // 24 % 7)


class Forecast(Case):
    command = 'forecast'

    def one(self, text, *args):
        _, result = self.good(self.write(text), *args)
        self.assertEqual(len(result['series']), 1)
        return result['series'][0]

    # What is found by itself.
    def test_hourly(self):
        text, result = self.good(self.write('time,value\n' + ''.join(hourly())), '--model', 'seasonal naive')
        x = result['series'][0]
        self.assertEqual((x['step'], x['season'], x['horizon'], x['values'], x['missing']), ('1 h', [24, 168], 48, 504, 0))
        self.assertEqual(x['forecast']['time'][0], '2026-01-26T00:00:00Z')
        for i, mean in enumerate(x['forecast']['mean']):
            self.assertAlmostEqual(mean, value(504 + i), places=2)
        self.assertAlmostEqual(x['backtest']['mase'], 0, places=2)
        self.assertEqual(x['backtest']['coverage'], 1)
        for words in ('model: ', 'backtest: ', 'MASE', '2026-01-26 00:00:00', '\u2588'):
            self.assertIn(words, text)

    def test_default_model(self):
        x = self.one('time,value\n' + ''.join(hourly()))
        self.assertIn(x['kind'], ('combined', 'seasonal naive'))
        self.assertLess(max(abs(m - value(504 + i)) for i, m in enumerate(x['forecast']['mean'])), 15)

    def test_times(self):
        first = int(START.replace(tzinfo=datetime.timezone.utc).timestamp())
        expect = self.one('time,value\n' + ''.join(hourly(60)))['forecast']
        for form in ('%Y-%m-%dT%H:%M:%SZ', '%Y-%m-%d %H:%M', '%Y/%m/%d %H:%M:%S', '%Y-%m-%dT%H:%M:%S.000+00:00'):
            self.assertEqual(self.one('time,value\n' + ''.join(hourly(60, form)))['forecast'], expect, form)
        for unit in (1, 1000, 10 ** 6, 10 ** 9):
            rows = ''.join('%d,%.3f\n' % ((first + 3600 * i) * unit, value(i)) for i in range(60))
            self.assertEqual(self.one('time,value\n' + rows)['forecast'], expect, unit)
        shifted = [row.replace(',', '+02:00,') for row in hourly(60)]
        self.assertEqual(self.one('time,value\n' + ''.join(shifted))['forecast']['time'][0], '2026-01-07T10:00:00Z')

    def test_steps(self):
        months = ['%d-%02d-01' % (2020 + i // 12, i % 12 + 1) for i in range(40)]
        ends = [str(datetime.date(2020 + (i + 1) // 12, (i + 1) % 12 + 1, 1) - datetime.timedelta(days=1)) for i in range(40)]
        days = [str(START.date() + datetime.timedelta(days=i)) for i in range(40)]
        weeks = [str(START.date() + datetime.timedelta(days=7 * i)) for i in range(40)]
        quarters, years = months[::3], ['%d-01-01' % y for y in range(1990, 2020)]
        for times, step, season, ahead in (
                (months, '1 month', [12], '2023-05-01T00:00:00Z'), (ends, '1 month', [12], '2023-05-31T00:00:00Z'),
                (days, '1 d', [7, 365], '2026-02-14T00:00:00Z'), (weeks, '7 d', [52], '2026-10-12T00:00:00Z'),
                (quarters, '3 months', [4], '2023-07-01T00:00:00Z'), (years, '12 months', [], '2020-01-01T00:00:00Z')):
            x = self.one('day,y\n' + ''.join('%s,%d\n' % (t, i % 5) for i, t in enumerate(times)))
            self.assertEqual((x['step'], x['season'], x['forecast']['time'][0]), (step, season, ahead))
        minutes = [(START + datetime.timedelta(minutes=i)).strftime('%Y-%m-%d %H:%M') for i in range(200)]
        self.assertEqual(self.one('t,y\n' + ''.join(t + ',3\n' for t in minutes))['season'], [60, 1440])

    def test_plain_numbers(self):
        x = self.one(''.join('%d\n' % (i % 4) for i in range(40)), '--season', '4', '--model', 'seasonal naive', '--horizon', '4')
        self.assertEqual(x['forecast']['mean'], [0, 1, 2, 3])
        self.assertEqual(x['forecast']['time'], [40, 41, 42, 43])
        self.assertEqual(self.one('5\n')['values'], 1)

    def test_other_marks(self):
        expect = self.one('time,value\n' + ''.join(hourly(60)))['forecast']
        for mark in ';\t':
            text = ('time,value\n' + ''.join(hourly(60))).replace(',', mark).replace('\n', '\r\n')
            self.assertEqual(self.one('\ufeff' + text)['forecast'], expect)
        quoted = '"when","value"\n' + ''.join('"%s","%s"\n' % tuple(row.strip().split(',')) for row in hourly(60))
        self.assertEqual(self.one(quoted)['forecast'], expect)

    # Keys.
    def test_keys(self):
        rows = [row.strip() + ',' + key + '\n' for row in hourly(100) for key in ('a', 'b')]
        file = self.write('time,value,name\n' + ''.join(rows))
        self.bad(2, ["column 'name'", '--key', '--all-keys'], file)
        text, result = self.good(file, '--all-keys', '--horizon', '5')
        self.assertEqual([x['key'] for x in result['series']], ['a', 'b'])
        self.assertEqual(result['series'][0]['forecast'], result['series'][1]['forecast'])
        self.assertEqual(len(text.splitlines()), 3)
        _, result = self.good(file, '--key', 'b')
        self.assertEqual([x['key'] for x in result['series']], ['b'])
        self.bad(2, ["no 'c'"], file, '--key', 'c')
        self.bad(2, ['pass one'], file, '--key', 'a', '--all-keys')

    # Gaps.
    def test_gaps(self):
        holes = {30, 31, 77, 200}
        text = 'time,value\n' + ''.join(hourly(300, skip=holes)) + '2026-01-17 12:00:00,\n2026-01-17 13:00:00,NaN\n'
        file = self.write(text)
        done = self.run_tool(file)
        self.assertIn('2 rows without a value, the first on line 298', done.stderr)
        x = self.one(text)
        self.assertEqual((x['values'], x['missing']), (302, 6))
        self.assertEqual([i for i, v in enumerate(x['history']['value']) if v is None], sorted(holes) + [300, 301])
        x = self.one(text, '--absent-is-zero')
        self.assertEqual((x['missing'], x['history']['value'][30], x['history']['value'][301]), (0, 0, 0))

    def test_never_negative(self):
        rows = 't,y\n' + ''.join('%d,%d\n' % (i, (i * 7919) % 13 == 0) for i in range(80))
        x = self.one(rows, '--levels', '0.01,0.5,0.99')
        self.assertTrue(all(v >= 0 for q in x['forecast']['quantiles'] for v in q))
        self.assertEqual(len(x['forecast']['quantiles']), 3)
        self.one(rows, '--allow-negative')

    def test_page(self):
        result = self.check_page(self.write('time,value\n' + ''.join(hourly())))
        self.assertEqual(result['format'], 'predshard-forecast')
        evil = 'time,value,key\n' + ''.join(row.strip() + ',</script><b>\n' for row in hourly(50))
        self.assertEqual(self.check_page(self.write(evil))['series'][0]['key'], '</script><b>')

    # What is wrong.
    def test_usage(self):
        file = self.write('time,value\n' + ''.join(hourly(50)))
        for args in ([], [file, file], [file, '--nothing'], [file, '--horizon', '0'], [file, '--season', '1'], [file, '--season', '24,12'],
                     [file, '--model', 'magic'], [file, '--levels', '0.5,0.1'], [file, '--levels', '2'], [file, '--step', 'soon'],
                     [file, '--value-column', 'x'], [file, '--key', 'x']):
            self.bad(2, [], *args)
        self.bad(2, ['magic', 'seasonal naive'], file, '--model', 'magic')
        self.bad(7, ['--json'], file, '--json', self.path('no/such/file'))
        self.bad(2, ['several columns', '--value-column'], self.write('time,a,b\n2026-01-01,1,2\n'))

    def test_input(self):
        self.bad(3, ['No such file'], self.path('nowhere'))
        head = 'time,value\n2026-01-01 00:00,1\n2026-01-01 01:00,2\n'
        for text, words in (
                ('', ['line 1', 'empty']), ('time,value\n', ['line 2', 'no row']), (head + '2026-01-01 02:00\n', ['line 4', '1 cells']),
                (head + '2026-01-01 02:00,x\n', ['line 4', "value 'x'"]), (head + '2026-01-01 02:00,inf\n', ['line 4', "'inf'"]),
                (head + '2026-01-01 02:00,1e99\n', ['line 4', '2^100']), (head + '2026-02-30 02:00,1\n', ['line 4', "time '2026-02-30"]),
                (head + '2026-01-01 01:00,3\n', ['line 4', 'twice', 'line 3']), (head + '2026-01-01 00:30,3\n', ['line 4', 'goes back', '--sort']),
                (head + '7,3\n', ['line 4', "time '7'"]), ('time,value\n2026-01-01,\n2026-01-02,\n', ['no value']),
                ('time,value\n2026-01-01,5\n', ['line 2', '--step']),
                ('time,value\n2026-01-01 00:00:00,5\n2026-01-01 00:00:01,5\n2026-01-01 00:00:02,5\n2099-01-01,5\n', ['line 5', 'steps', '--step'])):
            self.bad(4, words, self.write(text))
        x = self.one(head + '2026-01-01 00:30,3\n2026-01-01 01:30,3\n', '--sort')
        self.assertEqual((x['step'], x['values']), ('30 min', 4))


if __name__ == '__main__':
    unittest.main(verbosity=2)
