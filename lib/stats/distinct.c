/* HyperLogLog with linear counting where few were seen. */
#include "stats/distinct.h"

#include <math.h>

#include "base/mem.h"

void distinct_release(struct distinct *d)
{
	mem_free(d->registers);
	d->registers = NULL;
}

/* FNV-1a, whose high bits are poor, then the finalizer of splitmix64. */
static uint64_t hash(struct span thing)
{
	uint64_t h = 14695981039346656037U;

	for (size_t i = 0; i < thing.len; i++) {
		h = (h ^ (unsigned char)thing.ptr[i]) * 1099511628211U;
	}
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9U;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebU;
	return h ^ (h >> 31);
}

void distinct_add(struct distinct *d, struct span thing)
{
	uint64_t h = hash(thing);
	size_t place = (size_t)(h >> (64 - DISTINCT_BITS));
	uint8_t rank = 1;

	for (h <<= DISTINCT_BITS; rank <= 64 - DISTINCT_BITS && h >> 63 == 0;
		h <<= 1) {
		rank++;
	}
	if (d->registers == NULL) {
		d->registers = mem_array(DISTINCT_REGISTERS, 1);
	}
	if (d->registers[place] < rank) {
		d->registers[place] = rank;
	}
}

uint64_t distinct_count(const struct distinct *d)
{
	const double m = DISTINCT_REGISTERS;
	double sum = 0;
	double estimate;
	int empty = 0;

	if (d->registers == NULL) {
		return 0;
	}
	for (size_t i = 0; i < DISTINCT_REGISTERS; i++) {
		sum += 1.0 / (double)(1ULL << d->registers[i]);
		empty += d->registers[i] == 0;
	}
	estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
	if (estimate <= 2.5 * m && empty > 0) {
		estimate = m * log(m / empty);
	}
	return (uint64_t)(estimate + 0.5);
}
