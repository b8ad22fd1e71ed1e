# SPDX-License-Identifier: MIT
"""predshard map end to end: one small run, what each command says of it, and of the same files with damage done."""
import json
import os
import random
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest

import tool

PLACES = ['AAA', 'BBB', 'CCC', 'DDD', 'EEE', 'FFF']


def flights(days=5, seed=7):
    draw = random.Random(seed)
    lines = ['time,origin,destination,delay,distance\n']
    for minute in range(days * 1440):
        if 360 <= minute % 1440 < 1380 and draw.random() < 0.4:
            origin, destination = draw.sample(PLACES, 2)
            lines.append('2001-01-%02d %02d:%02d,%s,%s,%d,%d\n' % (
                minute // 1440 + 1, minute // 60 % 24, minute % 60, origin, destination,
                draw.randrange(-20, 90), 500))
    return lines


class Map(tool.Case):
    command = 'map'

    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory()
        source = os.path.join(cls.made.name, 'in.csv')
        cls.rows = flights()
        with open(source, 'w') as file:
            file.writelines(cls.rows)
        cls.run_of = ['run', source, '--rates', '5', '--policies', 'predictive', '--db']
        subprocess.run([tool.TOOL, *cls.run_of, cls.made.name], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.made.cleanup()

    def setUp(self):
        super().setUp()
        for name in ('r5-predictive.db', 'r5-predictive-archive.db'):
            shutil.copy(os.path.join(self.made.name, name), self.path(name))
        self.db = self.path('r5-predictive.db')

    def change(self, sql, *values, db=None):
        base = sqlite3.connect(db or self.db)
        with base:
            count = base.execute(sql, values).rowcount
        base.close()
        return count

    def ask(self, sql):
        base = sqlite3.connect(self.db)
        rows = base.execute(sql).fetchall()
        base.close()
        return rows

    def result(self, code, *args):
        """A run with JSON. @return its text and its result."""
        out = self.path('result.json')
        done = self.run_tool(*args, '--json', out)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        with open(out, encoding='utf-8') as file:
            return done.stdout, json.load(file)

    def findings(self, *areas):
        text, result = self.result(1, 'check', self.db)
        self.assertEqual(sorted({f['area'] for f in result['findings']}), sorted(areas), text)
        for finding in result['findings']:
            self.assertTrue(finding['advice'], text)
            self.assertIn(finding['text'], text)
        return ' '.join(f['text'] for f in result['findings'])

    def epochs(self):
        return self.result(0, 'show', self.db)[1]['share']['epochs']

    # show
    def test_show(self):
        text, result = self.result(0, 'show', self.db)
        self.assertIn('nobody leads', text)
        self.assertIn('2001-01-03', text)
        intervals = result['tables'][0]['intervals']
        self.assertEqual(sum(x['rows'] for x in intervals), len(self.rows) - 1)
        self.assertEqual(sum(x['rows'] for x in result['tiers']), len(self.rows) - 1)
        self.assertIsNone(result['share']['leader'])
        self.assertEqual(result['share']['epochs'][0], result['epoch'])
        self.assertEqual(result['share']['epochs'], sorted(result['share']['epochs'], reverse=True))
        self.assertGreater(len(result['share']['epochs']), 4)
        names = {name for name, in self.ask('SELECT name FROM psh_partitions')}
        parts = self.result(0, 'show', self.db, '--partitions')[1]['tables'][0]['partitions']
        self.assertEqual({p['name'] for p in parts}, names)
        self.assertIn('epoch %d' % result['epoch'], self.run_tool('show', self.db, '--dump').stdout)

    def test_show_a_span_and_an_epoch(self):
        _, result = self.result(0, 'show', self.db, '--from', '2001-01-02', '--to', '2001-01-04', '--table',
                                'flights')
        self.assertEqual([x['from'][:10] for x in result['tables'][0]['intervals']], ['2001-01-02', '2001-01-03'])
        self.assertIn('none between', self.run_tool('show', self.db, '--from', '2030-01-01').stdout)
        old = self.epochs()[-1]
        self.assertEqual(self.result(0, 'show', self.db, '--epoch', str(old))[1]['epoch'], old)
        self.bad(2, ['--from'], 'show', self.db, '--from', '2001-01-03', '--to', '2001-01-02')
        self.bad(2, ['epoch 999999', 'not kept'], 'show', self.db, '--epoch', '999999')
        self.bad(2, ['--table', 'ships'], 'show', self.db, '--table', 'ships')

    def test_nothing_is_changed(self):
        def state():
            found = {}
            for name in os.listdir(self.box.name):
                with open(self.path(name), 'rb') as file:
                    found[name] = file.read()
            return found
        before = state()
        for args in (['show'], ['plan', '--now', '2001-01-09'], ['check']):
            self.assertEqual(self.run_tool(args[0], self.db, *args[1:]).returncode, 0)
        self.run_tool('explain', self.db, 'AAA')
        self.run_tool('diff', '--db', self.db)
        self.assertEqual(state(), before)

    # diff
    def test_diff(self):
        epochs = self.epochs()
        for pair in ([str(epochs[-1]), str(epochs[0])], ['%d,%d' % (epochs[-1], epochs[0])]):
            text, result = self.result(1, 'diff', '--db', self.db, '--epochs', *pair)
            self.assertTrue(result['differ'])
            self.assertGreater(result['added'], 2)
            self.assertEqual(len(result['partitions']), result['added'] + result['removed'] + result['changed'])
            self.assertIn('added    flights_20010104T000000_s0', text)
        text, result = self.result(0, 'diff', '--db', self.db, '--epochs', str(epochs[0]), str(epochs[0]))
        self.assertIn('the same', text)
        self.assertFalse(result['differ'])
        _, result = self.result(1, 'diff', '--db', self.db)
        self.assertEqual([result['before']['epoch'], result['after']['epoch']], [epochs[1], epochs[0]])
        self.bad(2, ['epoch 1000001', 'not kept'], 'diff', '--db', self.db, '--epochs', '1000001', str(epochs[0]))

    def test_saved_worlds(self):
        old, new = self.path('old.world'), self.path('new.world')
        epochs = self.epochs()
        self.assertEqual(self.run_tool('show', self.db, '--save', new).returncode, 0)
        self.assertEqual(self.run_tool('show', self.db, '--epoch', str(epochs[-1]), '--save', old).returncode, 0)
        self.assertEqual(self.run_tool('diff', new, new).returncode, 0)
        _, files = self.result(1, 'diff', old, new)
        _, kept = self.result(1, 'diff', '--db', self.db, '--epochs', str(epochs[-1]), str(epochs[0]))
        self.assertEqual(files['text'], kept['text'])
        shown = self.result(0, 'show', self.db)[1]
        self.assertEqual(self.result(0, 'show', '--file', new)[1]['tables'], shown['tables'])
        self.assertEqual(self.run_tool('explain', '--file', new, 'AAA').returncode, 0)
        with open(new, 'rb') as file:
            bytes_of = bytearray(file.read())
        for at in range(0, len(bytes_of), len(bytes_of) // 20):
            damaged = bytes_of[:]
            damaged[at] ^= 1
            self.bad(4, ['damaged'], 'show', '--file', self.write(bytes(damaged), 'bad.world'))
        self.bad(4, ['damaged'], 'diff', old, self.write(bytes(bytes_of[:30]), 'bad.world'))
        self.bad(3, ['nowhere'], 'diff', old, self.path('nowhere'))

    # plan
    def test_plan(self):
        text, result = self.result(0, 'plan', self.db, '--now', '2001-01-09')
        kinds = {a['kind'] for a in result['actions']}
        self.assertIn('create-partition', kinds)
        self.assertIn('seal-partition', kinds)
        for action in result['actions']:
            self.assertTrue(action['reason'])
            self.assertIn(action['name'], text)
        self.assertIn('fence', self.run_tool('plan', self.db, '--now', '2001-01-09', '--dump').stdout)
        self.assertEqual(self.result(0, 'plan', self.db, '--now', '2001-01-09')[1], result)
        self.bad(2, ['--now'], 'plan', self.db, '--now', '2001-01-01')

    def test_plan_with_nodes(self):
        nodes = self.write(json.dumps([{'node': 0, 'capacity': 100}, {'node': 1, 'capacity': 100}]), 'nodes.json')
        active = [p for p in self.result(0, 'show', self.db, '--partitions')[1]['tables'][0]['partitions']
                  if p['state'] == 'active' and not p['quarantine']]
        loads = self.write('partition,reads_per_s,writes_per_s\n%s,900,10\n' % active[0]['id'], 'loads.csv')
        calm = self.result(0, 'plan', self.db, '--nodes', nodes)[1]['actions']
        hot = self.result(0, 'plan', self.db, '--nodes', nodes, '--loads', loads)[1]['actions']
        self.assertNotIn('split-partition', {a['kind'] for a in calm})
        self.assertIn('split-partition', {a['kind'] for a in hot})
        for text in ('{', '{}', '[{"node":0}]', '[{"node":0,"capacity":0}]',
                     '[{"node":0,"capacity":1,"state":"x"}]',
                     '[{"node":0,"capacity":1},{"node":0,"capacity":1}]', '[{"node":-1,"capacity":1}]'):
            self.bad(4, ['bad.json'], 'plan', self.db, '--nodes', self.write(text, 'bad.json'))
        for text in ('', 'partition\n', 'partition,reads_per_s,writes_per_s\n7,1,1\n',
                     'partition,reads_per_s,writes_per_s\n%s,-1,1\n' % active[0]['id']):
            self.bad(4, ['bad.csv'], 'plan', self.db, '--loads', self.write(text, 'bad.csv'))
        self.bad(3, ['nowhere'], 'plan', self.db, '--nodes', self.path('nowhere'))

    # explain
    def test_explain(self):
        text, result = self.result(0, 'explain', self.db, 'CCC', '--time', '2001-01-03T10:30')
        self.assertEqual(result['owner']['name'], 'flights_20010103T000000_s0')
        self.assertEqual(result['query'][0]['names'], ['flights_20010103T000000_s0'])
        self.assertTrue(result['write']['late'])
        self.assertEqual([h['kind'] for h in result['history']][:2], ['create-partition', 'activate-partition'])
        self.assertIn('ring point', text)
        point = int(result['point'], 16)
        self.assertTrue(int(result['owner']['arc_first'], 16) <= point <= int(result['owner']['arc_last'], 16))
        text, result = self.result(0, 'explain', self.db, 'CCC', '--time', '2003-01-01')
        self.assertIsNone(result['owner'])
        self.assertTrue(result['write']['quarantined'])
        self.assertIn('flights_quarantine', text)
        self.bad(2, ['--time'], 'explain', self.db, 'CCC', '--time', 'noon')

    # check
    def test_check_whole(self):
        text, result = self.result(0, 'check', self.db)
        self.assertEqual(result['findings'], [])
        self.assertGreaterEqual({x['area'] for x in result['fine']},
                                {'file', 'root', 'blobs', 'checkpoint', 'fences', 'tables'})
        self.assertIn('nothing is wrong', text)

    def test_check_damaged_blob(self):
        keys = [key for key, in self.ask("SELECT key FROM psh_kv WHERE key LIKE 'predshard/blob/%'")]
        for key in keys[::7] + keys[-1:]:
            data, = self.ask("SELECT data FROM psh_kv WHERE key = '%s'" % key)[0]
            self.change('UPDATE psh_kv SET data = ? WHERE key = ?', data[:-1] + bytes([data[-1] ^ 1]), key)
            self.assertIn(key[:60], self.findings('blobs'))
            self.change('DELETE FROM psh_kv WHERE key = ?', key)
            self.assertIn('gone', self.findings('blobs'))
            self.change('INSERT INTO psh_kv VALUES(?, 1, ?)', key, data)
        self.assertEqual(self.run_tool('check', self.db).returncode, 0)

    def test_check_root(self):
        self.change("UPDATE psh_kv SET data = x'00' WHERE key = 'predshard/root'")
        self.assertIn('damaged', self.findings('root'))
        self.bad(4, ['map check'], 'show', self.db)
        self.change("DELETE FROM psh_kv WHERE key = 'predshard/root'")
        self.assertIn('nothing was published', self.findings('root'))
        self.bad(4, ['nothing was published'], 'show', self.db)

    def test_check_tables(self):
        self.change('DROP TABLE flights_20010103T000000_s0')
        self.assertIn('flights_20010103T000000_s0: its table is missing', self.findings('tables'))
        self.change("DELETE FROM psh_partitions WHERE name = 'flights_20010103T000000_s0'")
        self.assertIn('does not know it', self.findings('tables'))
        self.change('CREATE TABLE flights_20300101T000000_s0(x)')
        self.assertIn("flights_20300101T000000_s0: it is in the database, but no", self.findings('tables'))
        self.change('CREATE TABLE other(x)')
        self.assertNotIn('other', self.findings('tables'))

    def test_check_replicas(self):
        self.change('INSERT INTO psh_replicas SELECT id, 1, 0, 1, name || "_r1" FROM psh_partitions'
                    " WHERE name = 'flights_20010103T000000_s0'")
        self.assertIn('flights_20010103T000000_s0_r1: the database has this replica', self.findings('tables'))

    def test_damaged_anywhere(self):
        """Any page of the file may be spoiled: the commands end by themselves, with a code and a line."""
        with open(self.db, 'rb') as file:
            whole = file.read()
        draw = random.Random(5)
        for _ in range(40):
            at = draw.randrange(len(whole) - 64)
            with open(self.path('spoiled.db'), 'wb') as file:
                file.write(whole[:at] + draw.randbytes(64) + whole[at + 64:])
            for args in (['check'], ['show'], ['plan'], ['explain', 'AAA']):
                done = self.run_tool(args[0], self.path('spoiled.db'), *args[1:])
                self.assertIn(done.returncode, (0, 1, 4, 6), done.stderr)
                self.assertEqual(done.returncode > 1, 'predshard: ' in done.stderr, done.stderr)

    def test_check_rows(self):
        count = self.change("DELETE FROM flights_20010102T000000_s0 WHERE origin = 'AAA'")
        self.assertGreater(count, 0)
        self.assertIn('flights_20010102T000000_s0', self.findings('rows'))

    def test_check_checkpoint_and_fence(self):
        self.change("UPDATE psh_blobs SET data = substr(data, 1, 100) WHERE name = 'predshard/checkpoint'")
        self.findings('checkpoint')
        self.bad(4, ['checkpoint'], 'plan', self.db)
        self.assertIn('cannot be loaded', self.run_tool('explain', self.db, 'AAA').stdout)
        self.change("DELETE FROM psh_blobs WHERE name = 'predshard/checkpoint'")
        self.findings('checkpoint')
        self.change("UPDATE psh_meta SET value = 9 WHERE key = 'fence'")
        self.findings('checkpoint', 'fences')

    # What is no map.
    def test_usage(self):
        for args in ([], ['walk'], ['show'], ['show', self.db, 'x'], ['explain', self.db], ['diff', 'a'],
                     ['diff', '--db', self.db, '--epochs', '3'], ['check', self.db, '--epoch', '3'],
                     ['show', self.db, '--file', 'x'], ['show', '--file', 'x', '--epoch', '1'],
                     ['show', self.db, '--epoch', '0'], ['plan', self.db, '--ahead', 'x'],
                     ['show', self.db, '--nothing']):
            self.bad(2, [], *args)

    def test_no_map(self):
        self.bad(3, ['nowhere.db', 'No such file'], 'show', self.path('nowhere.db'))
        self.bad(4, ['not a database'], 'check', self.write('x' * 5000, 'text.db'))
        self.bad(4, ['no map'], 'show', self.path('r5-predictive-archive.db'))
        self.change("DELETE FROM psh_blobs WHERE name = 'predshard/schema'")
        self.bad(4, ['shares no map'], 'show', self.db)
        self.bad(7, ['--save'], 'show', self.db, '--save', self.path('no/such/file'))

    # While it runs, and after it was killed.
    def test_while_it_runs(self):
        with open(self.path('long.csv'), 'w') as file:
            file.writelines(flights(25))
        command = [tool.TOOL, 'run', self.path('long.csv'), '--rates', '20', '--policies', 'predictive', '--db',
                   self.path('live')]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        live, seen = self.path('live/r20-predictive.db'), set()
        try:
            until = time.monotonic() + 60
            while len(seen) < 3 and run.poll() is None and time.monotonic() < until:
                done = self.run_tool('show', live, '--json', self.path('live.json'))
                if done.returncode == 0:
                    with open(self.path('live.json'), encoding='utf-8') as file:
                        seen.add(json.load(file)['epoch'])
                    self.assertEqual(self.run_tool('check', live).returncode, 0)
        finally:
            run.kill()
            run.wait()
        self.assertGreaterEqual(len(seen), 3)
        self.assertIn(self.run_tool('check', live).returncode, (0, 1))
        self.assertIn('leads', self.run_tool('show', live).stdout)


if __name__ == '__main__':
    unittest.main(verbosity=2)
