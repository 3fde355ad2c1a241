/* SPDX-License-Identifier: MIT */
/*
 * pipeline_digest.c - sha256sum over whole folders: two stages of queues doing real work.
 *
 *   main walks the folders -> [files] -> readers -> [chunks] -> hasher 0
 *                                                \-> [chunks] -> hasher 1 ...
 *
 * A file may be larger than the memory, so it travels in chunks, and its chunks must meet one
 * hashing context in their order. Therefore every hasher has a queue of its own, and the reader
 * that opens a file chooses one queue for the whole of it. One thread puts the chunks of a file,
 * the queue is FIFO, one thread gets them: they arrive in order, and the context, which belongs to
 * the file, is never used by two threads at a time. The chunk after the last has no bytes; it hands
 * the file over to its hasher for good, so the reader does not touch it any more.
 *
 * It cannot deadlock. A wait for an item, or for room, is a wait for the neighbour in the picture,
 * and a hasher waits for nothing but its next chunk. So a full queue of chunks gets room, thus
 * every reader goes on, thus a full queue of files gets room, thus main goes on. There is no way
 * back along which a circle could close. The memory is bounded by the capacities: at most
 * hashers x capacity + readers + hashers chunks exist at a time.
 *
 * As in pipeline_links.c the line ends by closing in the direction of flow. A queue is closed when
 * the last put into it has returned, so no put fails here.
 */
#include "pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <sluice.h>

#include "crew.h"
#include "report.h"

#define CHUNK_BYTES 65536

/* A file travels through both stages; whoever got it last may use it. */
struct file {
	EVP_MD_CTX *context;
	int error;
	char path[];
};

struct chunk {
	struct file *file;
	unsigned char *bytes; /* none: the file ends here, */
	size_t size;
	int error; /* for this reason, or 0 because all of it was read */
};

SLUICE_DEFINE_SPMC(files, struct file *)
SLUICE_DEFINE_MPSC(chunks, struct chunk)

struct run {
	unsigned hashers;
	EVP_MD *sha256;
	struct files files;
	struct chunks *chunks; /* one queue for each hasher */
	atomic_bool failed;
};

static void
fail(struct run *run, const char *name, const char *reason)
{
	report_problem(name, reason);
	run->failed = true;
}

static void
file_free(struct file *file)
{
	EVP_MD_CTX_free(file->context);
	free(file);
}

/* Returns NULL when there is not enough memory: nothing else can fail here. */
static struct file *
file_new(const char *path, const EVP_MD *sha256)
{
	size_t path_bytes = strlen(path) + 1;
	struct file *file = calloc(1, sizeof *file + path_bytes);

	if (file == NULL)
		return NULL;
	memcpy(file->path, path, path_bytes);
	file->context = EVP_MD_CTX_new();
	if (file->context == NULL || EVP_DigestInit_ex(file->context, sha256, NULL) != 1) {
		file_free(file);
		return NULL;
	}
	return file;
}

static void
put_file(struct run *run, const char *path)
{
	struct file *file = file_new(path, run->sha256);

	if (file == NULL)
		fail(run, path, strerror(ENOMEM));
	else if (files_put(&run->files, file) != 0)
		file_free(file);
}

/*
 * Symbolic links are followed where the user named them and nowhere else. The walk must not change
 * the working directory: the readers open the same names meanwhile.
 */
static void
walk(struct run *run, char *path)
{
	FTS *tree =
		fts_open((char *[]){path, NULL}, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	if (tree == NULL) {
		fail(run, path, strerror(errno));
		return;
	}
	while ((entry = fts_read(tree)) != NULL) {
		bool named = entry->fts_level == FTS_ROOTLEVEL;

		switch (entry->fts_info) {
		case FTS_F:
			put_file(run, entry->fts_path);
			break;
		case FTS_DNR:
		case FTS_ERR:
		case FTS_NS:
			fail(run, entry->fts_path, strerror(entry->fts_errno));
			break;
		case FTS_DC: /* a folder mounted within itself */
			fail(run, entry->fts_path, strerror(ELOOP));
			break;
		case FTS_SLNONE:
			if (named)
				fail(run, path, strerror(ENOENT));
			break;
		case FTS_DEFAULT:
			if (named)
				fail(run, path, "Neither a regular file nor a folder");
			break;
		default: /* a folder, on the way in or out, or a link inside one */
			break;
		}
	}
	if (errno != 0)
		fail(run, path, strerror(errno));
	fts_close(tree);
}

/* Returns false when there was nothing more to read: then this chunk is the file's last. */
static bool
read_chunk(int fd, struct chunk *chunk)
{
	ssize_t size = -1;

	chunk->bytes = malloc(CHUNK_BYTES);
	if (chunk->bytes != NULL) {
		do
			size = read(fd, chunk->bytes, CHUNK_BYTES);
		while (size < 0 && errno == EINTR);
	}
	if (size > 0) {
		chunk->size = (size_t)size;
		return true;
	}
	chunk->error = size < 0 ? errno : 0;
	free(chunk->bytes);
	chunk->bytes = NULL;
	return false;
}

/*
 * The hasher with the least to do, or one after the other when all have the same. A size is a
 * snapshot: good enough to choose by, and nothing breaks when it is out of date.
 */
static struct chunks *
choose_hasher(const struct run *run, unsigned turn)
{
	struct chunks *best = &run->chunks[turn % run->hashers];

	for (unsigned i = 0; i < run->hashers; i++) {
		if (chunks_size(&run->chunks[i]) < chunks_size(best))
			best = &run->chunks[i];
	}
	return best;
}

static void
read_files(void *job, unsigned number)
{
	struct run *run = job;
	struct file *file;

	for (unsigned turn = number; files_get(&run->files, &file) == 0; turn++) {
		struct chunks *chunks = choose_hasher(run, turn);
		struct chunk chunk = {.file = file};
		int fd = open(file->path, O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			chunk.error = errno;
			chunks_put(chunks, chunk);
			continue;
		}
		while (read_chunk(fd, &chunk))
			chunks_put(chunks, chunk);
		chunks_put(chunks, chunk);
		close(fd);
	}
}

/* The format of sha256sum, which marks a line with escapes in its name by a leading backslash. */
static void
print_digest(const unsigned char *digest, unsigned size, const char *path)
{
	flockfile(stdout);
	if (report_needs_escape(path))
		putchar('\\');
	for (unsigned i = 0; i < size; i++)
		printf("%02x", digest[i]);
	fputs("  ", stdout);
	report_name(stdout, path);
	putchar('\n');
	funlockfile(stdout);
}

static void
finish_file(struct run *run, struct file *file)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned size;

	if (file->error == 0 && EVP_DigestFinal_ex(file->context, digest, &size) != 1)
		file->error = EIO;
	if (file->error == 0)
		print_digest(digest, size, file->path);
	else
		fail(run, file->path, strerror(file->error));
	file_free(file);
}

static void
hash_chunks(void *job, unsigned number)
{
	struct run *run = job;
	struct chunk chunk;

	while (chunks_get(&run->chunks[number], &chunk) == 0) {
		struct file *file = chunk.file;

		if (chunk.bytes != NULL) {
			if (EVP_DigestUpdate(file->context, chunk.bytes, chunk.size) != 1)
				file->error = EIO;
			free(chunk.bytes);
		} else {
			if (chunk.error != 0)
				file->error = chunk.error;
			finish_file(run, file);
		}
	}
}

/* No thread runs yet, so there is nothing to undo. */
static void
prepare(struct run *run, unsigned capacity)
{
	int error = files_init(&run->files, capacity, NULL);

	run->chunks = calloc(run->hashers, sizeof *run->chunks);
	if (run->chunks == NULL)
		error = ENOMEM;
	for (unsigned i = 0; i < run->hashers && error == 0; i++)
		error = chunks_init(&run->chunks[i], capacity, NULL);
	if (error != 0) {
		report_problem("cannot make the queues", strerror(error));
		exit(EXIT_FAILURE);
	}
	run->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (run->sha256 == NULL) {
		report_problem("SHA-256", "not offered by libcrypto");
		exit(EXIT_FAILURE);
	}
}

int
pipeline_digest(const struct options *options, char *const *paths)
{
	struct run run = {.hashers = options->consumers};
	struct crew readers = {0}, hashers = {0};
	int error;

	prepare(&run, options->capacity);
	error = crew_start(&hashers, run.hashers, hash_chunks, &run);
	if (error == 0)
		error = crew_start(&readers, options->producers, read_files, &run);
	if (error == 0) {
		for (; *paths != NULL; paths++)
			walk(&run, *paths);
	} else {
		fail(&run, "cannot start a thread", strerror(error));
	}

	files_close(&run.files);
	crew_join(&readers);
	for (unsigned i = 0; i < run.hashers; i++)
		chunks_close(&run.chunks[i]);
	crew_join(&hashers);

	for (unsigned i = 0; i < run.hashers; i++)
		chunks_destroy(&run.chunks[i]);
	free(run.chunks);
	files_destroy(&run.files);
	EVP_MD_free(run.sha256);
	return run.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
