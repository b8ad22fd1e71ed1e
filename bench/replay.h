/* SPDX-License-Identifier: MIT */
/** @file replay.h  The parts of bench_replay. Each takes its own argv, [0] its name. @return the exit code. */
#ifndef BENCH_REPLAY_H
#define BENCH_REPLAY_H

int replay_requests(int argc, char **argv);
int replay_sizing(int argc, char **argv);
int replay_balance(int argc, char **argv);
int replay_boundaries(int argc, char **argv);
int replay_planning(int argc, char **argv);

#endif
