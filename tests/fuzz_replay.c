/* SPDX-License-Identifier: MIT */
/*
 * fuzz_replay.c - a main for fuzz.c where there is no libFuzzer: runs the files that it is given.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int
main(int argc, char **argv)
{
	static uint8_t bytes[1 << 16];

	for (int i = 1; i < argc; i++) {
		FILE *const file = fopen(argv[i], "rb");

		if (file == NULL) {
			perror(argv[i]);
			return 1;
		}
		LLVMFuzzerTestOneInput(bytes, fread(bytes, 1, sizeof(bytes), file));
		fclose(file);
	}
	printf("%d programs replayed\n", argc - 1);
	return argc < 2;
}
