# SPDX-License-Identifier: MIT
"""What the end-to-end tests of the predshard command share: a folder that goes, runs, and checks of how they end."""
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

TOOL = os.path.abspath(sys.argv.pop(1))


class Case(unittest.TestCase):
    command = ''

    def setUp(self):
        self.box = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.box.cleanup()

    def path(self, name):
        return os.path.join(self.box.name, name)

    def write(self, text, name='in'):
        with open(self.path(name), 'wb') as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return self.path(name)

    def run_tool(self, *args):
        return subprocess.run([TOOL, self.command, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              encoding='utf-8', timeout=120)

    def good(self, *args):
        """A run that must end well. @return its text and its result."""
        result = self.path('result.json')
        done = self.run_tool(*args, '--json', result)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(result, encoding='utf-8') as file:
            return done.stdout, json.load(file)

    def bad(self, code, words, *args):
        """The exit code, and one clear line with these words."""
        done = self.run_tool(*args)
        self.assertEqual(done.returncode, code, done.stderr)
        lines = [line for line in done.stderr.splitlines() if line.startswith('predshard: ')]
        self.assertEqual(len(lines), 1, done.stderr)
        for word in words:
            self.assertIn(word, lines[0])

    def check_page(self, *args):
        """The page holds its result, and names nothing to fetch: the plotting library's own comments aside."""
        page = self.path('page.html')
        done = self.run_tool(*args, '--html', page)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(page, encoding='utf-8') as file:
            text = file.read()
        self.assertNotRegex(text, r'<(script|link|img|iframe)[^>]*(src|href)\s*=')
        self.assertNotRegex(text, r'@import|url\(|fetch\(|XMLHttpRequest|importScripts')
        found = re.search(r'<script id="result" type="application/json">(.*?)</script>', text, re.S)
        return json.loads(found.group(1))
