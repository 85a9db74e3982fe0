/* Counts of durations in steps of less than 1 %: 128 steps to each doubling, after HdrHistogram. */

#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>

enum { STEP_BITS = 7, STEPS = 1 << STEP_BITS, SLOTS = (64 - STEP_BITS + 1) * STEPS };

/* Durations in ns. */
struct histogram {
    uint64_t slots[SLOTS], count, max;
    double sum;
};

static size_t slot_of(uint64_t value) {
    if (value < 2 * STEPS) return (size_t)value;
    int shift = 63 - __builtin_clzll(value) - STEP_BITS;
    return (size_t)shift * STEPS + (size_t)(value >> shift);
}

/* The middle of a slot. */
static double value_of(size_t slot) {
    if (slot < 2 * STEPS) return (double)slot;
    int shift = (int)(slot / STEPS) - 1;
    return ldexp((double)(slot - (size_t)shift * STEPS) + 0.5, shift);
}

static void count_duration(struct histogram *histogram, int64_t duration) {
    uint64_t value = duration > 0 ? (uint64_t)duration : 0;
    histogram->slots[slot_of(value)]++;
    histogram->count++;
    histogram->sum += (double)value;
    if (value > histogram->max) histogram->max = value;
}

/* The duration that this share of all durations does not exceed, ns; 0 where there is none. */
static double quantile(const struct histogram *histogram, double share) {
    uint64_t wanted = (uint64_t)ceil(share * (double)histogram->count), seen = 0;
    for (size_t slot = 0; slot < SLOTS; slot++)
        if (wanted && (seen += histogram->slots[slot]) >= wanted) return fmin(value_of(slot), (double)histogram->max);
    return 0;
}

/* Writes a JSON object, in µs. */
static void print_durations(const struct histogram *histogram) {
    double count = histogram->count ? (double)histogram->count : 1;
    printf("{\"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"max\": %.1f, \"mean\": %.1f}",
           quantile(histogram, 0.5) / 1e3, quantile(histogram, 0.9) / 1e3, quantile(histogram, 0.99) / 1e3,
           (double)histogram->max / 1e3, histogram->sum / count / 1e3);
}

#endif
