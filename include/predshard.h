/* SPDX-License-Identifier: MIT */
/** @file predshard.h  Umbrella: everything of libpredshard. */
#ifndef PREDSHARD_H
#define PREDSHARD_H

#include <predshard/base.h>
#include <predshard/schema.h>
#include <predshard/query.h>
#include <predshard/answer.h>
#include <predshard/change.h>
#include <predshard/view.h>
#include <predshard/epochs.h>
#include <predshard/ranges.h>
#include <predshard/hashing.h>
#include <predshard/balance.h>
#include <predshard/forecast.h>
#include <predshard/keys.h>
#include <predshard/model.h>
#include <predshard/detector.h>
#include <predshard/plan.h>
#include <predshard/world.h>
#include <predshard/host.h>
#include <predshard/forecaster.h>
#include <predshard/segments.h>
#include <predshard/events.h>
#include <predshard/workload.h>
#include <predshard/map.h>
#include <predshard/bulk.h>
#include <predshard/capacity.h>
#include <predshard/tiers.h>
#include <predshard/materializer.h>
#include <predshard/router.h>
#include <predshard/driver.h>
#include <predshard/share.h>
#include <predshard/autopilot.h>

#endif
