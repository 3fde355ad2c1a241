/* SPDX-License-Identifier: MIT */
/*
 * gbench.cc - the C++ side of gbench.h, on the public interface of Google Benchmark alone.
 *
 * Everything that differs between releases 1.7 and 1.9 is found by the compiler: the type of a
 * registration by what RegisterBenchmark returns, the names of an error's fields by which of two
 * overloads exists, GetBenchmarkVersion by a fallback that loses to it. Every function is noexcept,
 * as gbench.h declares it: an exception ends the program here instead of unwinding into C.
 */
#include "gbench.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <memory>
#include <mutex>
#include <regex>
#include <string>
#include <utility>
#include <vector>

using benchmark::Counter;

static_assert(GBENCH_PLAIN == static_cast<int>(Counter::kDefaults) &&
		      GBENCH_RATE == static_cast<int>(Counter::kIsRate) &&
		      GBENCH_PER_THREAD == static_cast<int>(Counter::kAvgThreads) &&
		      GBENCH_TIMES_ITERATIONS == static_cast<int>(Counter::kIsIterationInvariant) &&
		      GBENCH_PER_ITERATION == static_cast<int>(Counter::kAvgIterations) &&
		      GBENCH_INVERT == static_cast<int>(Counter::kInvert),
	      "gbench_set_counter casts these flags to the library's");
static_assert(GBENCH_NANOSECOND == static_cast<int>(benchmark::kNanosecond) &&
		      GBENCH_MICROSECOND == static_cast<int>(benchmark::kMicrosecond) &&
		      GBENCH_MILLISECOND == static_cast<int>(benchmark::kMillisecond) &&
		      GBENCH_SECOND == static_cast<int>(benchmark::kSecond),
	      "gbench_unit casts these units to the library's");

struct gbench_state {
	benchmark::State &state;
};

/* Pointer to the library's registration, whose class changed its namespace after 1.9. */
using registration =
	decltype(benchmark::RegisterBenchmark("", std::declval<void (*)(benchmark::State &)>()));

struct gbench {
	gbench_fn *body;
	void *user;
	registration benchmark = nullptr;
	gbench_fn *setup = nullptr;
	gbench_fn *teardown = nullptr;

	/* Threads that have entered and left the run that is going on; both 0 between two runs. */
	std::mutex mutex;
	int entered = 0;
	int left = 0;

	void
	run(benchmark::State &state)
	{
		gbench_state st{state};

		{
			/* Who comes first sets up; the others wait for the lock, hence for that. */
			std::lock_guard<std::mutex> guard(mutex);
			if (entered++ == 0 && setup)
				setup(&st, user);
		}
		body(&st, user);
		{
			std::lock_guard<std::mutex> guard(mutex);
			if (++left == state.threads()) {
				if (teardown)
					teardown(&st, user);
				entered = left = 0;
			}
		}
	}
};

#ifndef GBENCH_LIBRARY_VERSION
#define GBENCH_LIBRARY_VERSION "unknown"
#endif

/*
 * A call that both this and the library could answer goes to the library, because this is a
 * template. It stands outside every namespace that the call is in, or it would hide the other.
 */
namespace gbench_fallback
{
template <class = void>
std::string
GetBenchmarkVersion()
{
	return GBENCH_LIBRARY_VERSION;
}
} // namespace gbench_fallback

namespace
{

using Run = benchmark::BenchmarkReporter::Run;

/* The text of an error or nullptr: up to 1.7 (the int is the better match), and since 1.8. */
template <class R>
auto
error_of(const R &run, int) -> decltype(run.error_message.c_str())
{
	return run.error_occurred ? run.error_message.c_str() : nullptr;
}

template <class R>
auto
error_of(const R &run, long) -> decltype(run.skip_message.c_str())
{
	return run.skipped ? run.skip_message.c_str() : nullptr;
}

/* Quotients, such as the coefficient of variation, are stored where the time would be. */
double
seconds(const Run &run, double accumulated, double adjusted)
{
	if (run.aggregate_unit == benchmark::kPercentage)
		return accumulated;
	return adjusted / benchmark::GetTimeUnitMultiplier(run.time_unit);
}

/* Stands before the library's reporter: tells C of every run, passes on what C wants shown. */
class Display final : public benchmark::BenchmarkReporter
{
      public:
	Display(gbench_run_fn *on_run, void *user)
	    : inner_(*benchmark::CreateDefaultDisplayReporter()), on_run_(on_run), user_(user)
	{
	}

	bool
	ReportContext(const Context &context) override
	{
		return inner_.ReportContext(context);
	}

	void
	ReportRuns(const std::vector<Run> &runs) override
	{
		std::vector<Run> shown;

		for (const Run &run : runs)
			if (tell(run))
				shown.push_back(run);
		if (!shown.empty())
			inner_.ReportRuns(shown);
	}

	void
	Finalize() override
	{
		inner_.Finalize();
	}

      private:
	bool
	tell(const Run &run) const
	{
		const std::string name = run.benchmark_name();
		const bool aggregate = run.run_type == Run::RT_Aggregate;
		gbench_run c{};

		c.name = name.c_str();
		c.function = run.run_name.function_name.c_str();
		c.aggregate = aggregate ? run.aggregate_name.c_str() : nullptr;
		c.label = run.report_label.c_str();
		c.error = error_of(run, 0);
		c.repetition = aggregate ? -1 : run.repetition_index;
		c.repetitions = run.repetitions;
		c.iterations = run.iterations;
		c.real_time = seconds(run, run.real_accumulated_time, run.GetAdjustedRealTime());
		c.cpu_time = seconds(run, run.cpu_accumulated_time, run.GetAdjustedCPUTime());
		c.counters = &run.counters;
		return !on_run_ || on_run_(&c, user_);
	}

	benchmark::BenchmarkReporter &inner_; /* the library's, which never deletes it */
	gbench_run_fn *on_run_;
	void *user_;
};

std::string
library_version()
{
	using namespace benchmark;
	using namespace gbench_fallback;
	return GetBenchmarkVersion();
}

} // namespace

void
gbench_init(int *argc, char **argv, void (*help)(void)) noexcept
{
	benchmark::Initialize(argc, argv, help ? help : benchmark::PrintDefaultHelp);
}

bool
gbench_unrecognised(int argc, char **argv) noexcept
{
	if (argc < 2)
		return false;
	std::fprintf(stderr, "%s: unrecognised argument: %s\n", argv[0], argv[1]);
	return true;
}

void
gbench_print_options(void) noexcept
{
	benchmark::PrintDefaultHelp();
}

void
gbench_context(const char *key, const char *value) noexcept
{
	benchmark::AddCustomContext(key, value);
}

const char *
gbench_library_version(void) noexcept
{
	static const std::string version = library_version();

	return version.c_str();
}

bool
gbench_console(void) noexcept
{
	return dynamic_cast<benchmark::ConsoleReporter *>(
		       benchmark::CreateDefaultDisplayReporter()) != nullptr;
}

size_t
gbench_run_all(gbench_run_fn *on_run, void *user) noexcept
{
	Display display(on_run, user);

	return benchmark::RunSpecifiedBenchmarks(&display);
}

bool
gbench_admits(const char *name) noexcept
{
	std::string filter = benchmark::GetBenchmarkFilter();
	const bool negative = !filter.empty() && filter[0] == '-';

	if (filter.empty() || filter == "all")
		return true;
	if (negative)
		filter.erase(0, 1);
	try {
		return std::regex_search(name, std::regex(filter)) != negative;
	} catch (const std::regex_error &) {
		return false; /* gbench_run_all will complain */
	}
}

bool
gbench_run_counter(const struct gbench_run *run, const char *name, double *value) noexcept
{
	const auto &counters = *static_cast<const benchmark::UserCounters *>(run->counters);
	const auto found = counters.find(name);

	if (found == counters.end())
		return false;
	*value = found->second.value;
	return true;
}

void
gbench_shutdown(void) noexcept
{
	benchmark::ClearRegisteredBenchmarks();
	benchmark::Shutdown();
}

struct gbench *
gbench_register(const char *name, gbench_fn *body, void *user) noexcept
{
	/* The library keeps the lambda, and the lambda the object, until they are cleared. */
	auto bench = std::make_shared<gbench>();

	bench->body = body;
	bench->user = user;
	bench->benchmark = benchmark::RegisterBenchmark(
		name, [bench](benchmark::State &state) { bench->run(state); });
	return bench.get();
}

void
gbench_args(struct gbench *bench, const int64_t *values, size_t count) noexcept
{
	bench->benchmark->Args(std::vector<int64_t>(values, values + count));
}

void
gbench_arg_names(struct gbench *bench, const char *const *names, size_t count) noexcept
{
	bench->benchmark->ArgNames(std::vector<std::string>(names, names + count));
}

void
gbench_range(struct gbench *bench, int64_t low, int64_t high) noexcept
{
	bench->benchmark->Range(low, high);
}

void
gbench_ranges(struct gbench *bench, const int64_t (*bounds)[2], size_t count) noexcept
{
	std::vector<std::pair<int64_t, int64_t>> ranges;

	for (size_t i = 0; i < count; i++)
		ranges.emplace_back(bounds[i][0], bounds[i][1]);
	bench->benchmark->Ranges(ranges);
}

void
gbench_dense_range(struct gbench *bench, int64_t low, int64_t high, int step) noexcept
{
	bench->benchmark->DenseRange(low, high, step);
}

void
gbench_range_multiplier(struct gbench *bench, int multiplier) noexcept
{
	bench->benchmark->RangeMultiplier(multiplier);
}

void
gbench_repetitions(struct gbench *bench, int repetitions) noexcept
{
	bench->benchmark->Repetitions(repetitions);
}

void
gbench_iterations(struct gbench *bench, int64_t iterations) noexcept
{
	bench->benchmark->Iterations(iterations);
}

void
gbench_min_time(struct gbench *bench, double seconds) noexcept
{
	bench->benchmark->MinTime(seconds);
}

void
gbench_use_real_time(struct gbench *bench) noexcept
{
	bench->benchmark->UseRealTime();
}

void
gbench_use_manual_time(struct gbench *bench) noexcept
{
	bench->benchmark->UseManualTime();
}

void
gbench_measure_process_cpu(struct gbench *bench) noexcept
{
	bench->benchmark->MeasureProcessCPUTime();
}

void
gbench_unit(struct gbench *bench, enum gbench_unit unit) noexcept
{
	bench->benchmark->Unit(static_cast<benchmark::TimeUnit>(unit));
}

void
gbench_threads(struct gbench *bench, int count) noexcept
{
	bench->benchmark->Threads(count);
}

void
gbench_setup(struct gbench *bench, gbench_fn *setup) noexcept
{
	bench->setup = setup;
}

void
gbench_teardown(struct gbench *bench, gbench_fn *teardown) noexcept
{
	bench->teardown = teardown;
}

bool
gbench_keep_running(struct gbench_state *st) noexcept
{
	return st->state.KeepRunning();
}

bool
gbench_keep_running_batch(struct gbench_state *st, int64_t count) noexcept
{
	return st->state.KeepRunningBatch(count);
}

void
gbench_set_iteration_time(struct gbench_state *st, double seconds) noexcept
{
	st->state.SetIterationTime(seconds);
}

void
gbench_pause_timing(struct gbench_state *st) noexcept
{
	st->state.PauseTiming();
}

void
gbench_resume_timing(struct gbench_state *st) noexcept
{
	st->state.ResumeTiming();
}

int64_t
gbench_arg(const struct gbench_state *st, size_t index) noexcept
{
	return st->state.range(index);
}

int64_t
gbench_iterations_done(const struct gbench_state *st) noexcept
{
	return st->state.iterations();
}

int
gbench_thread_index(const struct gbench_state *st) noexcept
{
	return st->state.thread_index();
}

int
gbench_thread_count(const struct gbench_state *st) noexcept
{
	return st->state.threads();
}

void
gbench_set_counter(struct gbench_state *st, const char *name, double value, int flags) noexcept
{
	st->state.counters[name] = Counter(value, static_cast<Counter::Flags>(flags));
}

void
gbench_set_items_processed(struct gbench_state *st, int64_t items) noexcept
{
	st->state.SetItemsProcessed(items);
}

void
gbench_set_bytes_processed(struct gbench_state *st, int64_t bytes) noexcept
{
	st->state.SetBytesProcessed(bytes);
}

void
gbench_set_label(struct gbench_state *st, const char *label) noexcept
{
	st->state.SetLabel(label);
}

void
gbench_skip_with_error(struct gbench_state *st, const char *reason) noexcept
{
	st->state.SkipWithError(reason);
}
