# SPDX-License-Identifier: MIT
"""The predshard command end to end: a small run, and everything that can be wrong with its input and output."""
import json
import lzma
import os
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.abspath(sys.argv.pop(1))
HEADER = 'time,origin,destination,delay,distance\n'


def rows(days=4, per_hour=20, seed=7):
    """Made-up flights: six places, quiet nights."""
    draw = random.Random(seed)
    places = ['AAA', 'BBB', 'CCC', 'DDD', 'EEE', 'FFF']
    out = []
    for day in range(days):
        for minute in range(1440):
            if 360 <= minute < 1380 and draw.random() < per_hour / 60:
                origin = places[min(draw.randrange(9), 5)]
                destination = draw.choice([p for p in places if p != origin])
                out.append('2001-01-%02d %02d:%02d,%s,%s,%s,%d\n' % (
                    day + 1, minute // 60, minute % 60, origin, destination,
                    '' if draw.random() < 0.02 else str(draw.randrange(-20, 90)), draw.randrange(100, 3000)))
    return out


class Predshard(unittest.TestCase):
    def setUp(self):
        self.box = tempfile.TemporaryDirectory()
        self.dir = self.box.name

    def tearDown(self):
        self.box.cleanup()

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, text, name='in.csv'):
        with open(self.path(name), 'w') as file:
            file.write(text)
        return self.path(name)

    def run_tool(self, *args, **more):
        return subprocess.run([TOOL, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def check(self, code, words, *args, **more):
        """The exit code, and one clear line with these words."""
        done = self.run_tool(*args, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith('predshard: ')]
        self.assertEqual(len(lines), 1, done.stderr)
        for word in words:
            self.assertIn(word, lines[0])
        return done

    def check_input(self, text, words, code=4):
        database = self.path('db')
        self.check(code, words, 'run', self.write(text), '--db', database)
        self.assertFalse(os.path.exists(database) and os.listdir(database), 'a database was touched')

    def check_databases(self, directory):
        found = [name for name in os.listdir(directory) if name.endswith('.db')]
        for name in found:
            database = sqlite3.connect(os.path.join(directory, name))
            self.assertEqual(database.execute('PRAGMA integrity_check').fetchall(), [('ok',)], name)
            database.close()
        return found

    # The command line.
    def test_help_and_version(self):
        self.assertIn('exit codes', self.run_tool('--help').stdout)
        self.assertRegex(self.run_tool('--version').stdout, r'^predshard \d+\.\d+\.\d+\n$')

    def test_help_on_commands(self):
        for command in ('run', 'analyze', 'forecast', 'map'):
            text = self.run_tool('help', command).stdout
            self.assertIn('usage: predshard ' + command, text)
            self.assertEqual(self.run_tool(command, '--help').stdout, text)
            self.assertIn('predshard ' + command, self.run_tool('help').stdout)
        self.check(2, ['walk'], 'help', 'walk')

    def test_usage(self):
        for args in ([], ['walk', 'x'], ['run'], ['run', 'a', 'b'], ['run', 'a', '--rates', '0'],
                     ['run', 'a', '--rates', '5,5'], ['run', 'a', '--policies', 'lucky'], ['run', 'a', '--days', 'x'],
                     ['run', 'a', '--nothing'], ['run', 'a', '--seed'], ['run', 'a', '--threads', '0']):
            self.check(2, [], *args)

    # The input.
    def test_missing_file(self):
        self.check(3, ['nowhere.csv', 'No such file'], 'run', self.path('nowhere.csv'))
        self.check(3, ['directory'], 'run', self.dir)

    def test_header(self):
        self.check_input('', ['line 1', 'empty'])
        self.check_input('time,origin,target,delay,distance\n', ['line 1', "unknown column 'target'"])
        self.check_input('time,origin,destination,delay\n', ['line 1', "missing column 'distance'"])
        self.check_input('time,origin,origin,delay,distance\n', ['line 1', "twice 'origin'"])
        self.check_input(HEADER, ['line 2', 'no row'])

    def test_broken_lines(self):
        good = '2001-01-01 00:01,AAA,BBB,1,100\n'
        for line, words in (
                ('2001-01-01 00:02,AAA,BBB,1', ['fewer than 5 fields']),
                ('2001-01-01 00:02,AAA,BBB,1,100,7', ['more than 5 fields']),
                ('2001-02-30 00:02,AAA,BBB,1,100', ['time', '2001-02-30 00:02']),
                ('yesterday,AAA,BBB,1,100', ['time', 'yesterday']),
                ('2001-01-01 00:02,,BBB,1,100', ['origin']),
                ('2001-01-01 00:02,AAA,"BBB",1,100', ['destination', '"BBB"']),
                ('2001-01-01 00:02,AAA,BBB,1.5,100', ['delay', '1.5']),
                ('2001-01-01 00:02,AAA,BBB,1,', ['distance']),
                ('2001-01-01 00:02,AAA,BBB,1,-5', ['distance', '-5']),
                ('2001-01-01 00:02,AAA,BBB,99999999999999999999,5', ['delay']),
                ('2001-01-01 00:00,AAA,BBB,1,100', ['time goes back', '2001-01-01 00:00']),
                ('2100-01-01 00:00,AAA,BBB,1,100', ['31 days', '2100-01-01 00:00']),
                ('x' * 5000, ['longer than'])):
            self.check_input(HEADER + good + line + '\n', ['line 3'] + words)

    def test_damaged_xz(self):
        packed = lzma.compress((HEADER + ''.join(rows())).encode())
        for damaged in (packed[:len(packed) // 2], packed[:500] + b'?????' + packed[505:]):
            with open(self.path('in.csv.xz'), 'wb') as file:
                file.write(damaged)
            self.check(4, ['damaged'], 'run', self.path('in.csv.xz'))

    # The output.
    def test_unwritable_output(self):
        source = self.write(HEADER + ''.join(rows(1)))
        for option in ('--json', '--report', '--plan'):
            self.check(7, [option, 'No such file'], 'run', source, option, self.path('no/such/file'))
        self.assertEqual(os.listdir(self.dir), ['in.csv'])

    def test_directory_in_use(self):
        source = self.write(HEADER + ''.join(rows(1)))
        os.mkdir(self.path('db'))
        self.write('mine', 'db/r5-base.db')
        self.check(6, ['r5-base.db', 'already'], 'run', source, '--rates', '5', '--db', self.path('db'))
        with open(self.path('db/r5-base.db')) as file:
            self.assertEqual(file.read(), 'mine')

    def test_full_disk(self):
        """A limit on the size of files stands for the disk: whole commits stay, nothing is broken."""
        source = self.write(HEADER + ''.join(rows(6, 60)))
        self.check(6, ['free some space'], 'run', source, '--rates', '5', '--threads', '1', '--db', self.path('db'),
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400000, 400000)))
        self.assertTrue(self.check_databases(self.path('db')))

    # The run.
    def test_run(self):
        source = self.write(HEADER + ''.join(rows()))
        done = self.run_tool('run', source, '--rates', '5,40', '--db', self.path('db'), '--json', self.path('out.json'),
                             '--plan', self.path('plan.txt'), '--report', self.path('out.html'))
        self.assertEqual(done.returncode, 0, done.stderr)
        for words in ('transactions are real', 'query arrivals are derived', 'different: 0', 'p99.9 ms'):
            self.assertIn(words, done.stdout)
        with open(self.path('out.json')) as file:
            result = json.load(file)
        self.assertEqual(len(result['stacks']), 6)
        with open(self.path('out.html')) as file:
            page = file.read()
        self.assertIn('"format":"predshard-run"', page)
        self.assertNotRegex(page, r'<(script|link|img)[^>]*(src|href)=')
        self.assertGreater(result['answers']['compared'], 0)
        for stack in result['stacks']:
            self.assertEqual(stack['rows'], len(rows()))
            self.assertEqual(sum(stack['coverage'].values()), stack['queries'])
            self.assertEqual(stack['executed'] + stack['reused'], stack['queries'])
            self.assertEqual(sum(stack['latency']['all']['total']['bins']), stack['queries'])
            self.assertEqual(sum(stack['daily']['rows']), len(rows()))
        self.assertEqual(len(self.check_databases(self.path('db'))), 12)
        again = self.run_tool('run', source, '--rates', '5,40', '--json', '-')
        self.assertEqual([s['plans'] for s in json.loads(again.stdout)['stacks']],
                         [s['plans'] for s in result['stacks']])

    def test_columns_in_any_order(self):
        text = 'distance,delay,destination,origin,time\r\n' + ''.join(
            ','.join(reversed(line.strip().split(','))) + '\r\n' for line in rows(1))
        done = self.run_tool('run', self.write(text), '--rates', '5', '--policies', 'base,predictive')
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == '__main__':
    unittest.main(verbosity=2)
