"""What lifecycle_bench shows in charts."""

from bars.charts import BarChart, Curve, Entry

TG = "oneTBB task_group::run"


def ours(label, row):
    return Entry(label, row, ours=True)


def one_shot():
    # The rows of the bars, where there is one: those that are taken beside a baseline.
    yield BarChart(
        "one_shot", "A task that runs once: 100,000 of them, from an outside thread",
        [ours("taskvisor, batch through Run", "run/batch_beside_tg_run/100000"),
         ours("taskvisor, the same with a subscriber", "run/batch_counted_beside_plain/100000"),
         ours("taskvisor, Add", "add/outside_anonymous/100000"),
         ours("taskvisor, AddAndWatch, outcome read",
              "add/outside_anonymous_watched_beside_promise/100000"),
         ours("taskvisor, the same, named", "add/outside_named_watched_beside_promise/100000"),
         Entry(TG, "run/tg_run/100000"),
         Entry("oneTBB arena.enqueue", "run/arena_enqueue/100000"),
         Entry("oneTBB and a std::promise each", "run/tbb_promise/100000"),
         Entry("Asio thread_pool, packaged_task", "run/asio/100000"),
         Entry("CAF, spawn and monitor", "run/caf/100000")])
    yield BarChart(
        "inside", "A task that runs once: 100,000 of them, added by a body",
        [ours("taskvisor, Add", "add/inside_anonymous/100000"),
         ours("taskvisor, Add, named", "add/inside_named/100000"),
         ours("taskvisor, AddAndWatch", "add/inside_anonymous_watched/100000"),
         ours("taskvisor, AddAndWatch, named", "add/inside_named_watched/100000"),
         Entry(TG, "inside/tg_run/100000")])
    yield Curve(
        "one_shot_by_tasks", "A task that runs once, over the number of tasks",
        [ours("taskvisor, batch through Run", "run/batch/{}"),
         ours("taskvisor, AddAndWatch", "add/outside_anonymous_watched/{}"),
         ours("taskvisor, AddAndWatch, named", "add/outside_named_watched/{}"),
         Entry(TG, "run/tg_run/{}"),
         Entry("oneTBB and a std::promise each", "run/tbb_promise/{}")],
        sizes=(1000, 10_000, 100_000, 1_000_000))


def round_trips():
    ours_of = {"idle": "round_trip/watched_beside_enqueue_idle", "at_once": "round_trip/watched_at_once"}
    for way, title in (("idle", "on an idle pool"), ("at_once", "one after the other")):
        yield BarChart(
            f"round_trip_{way}", f"Hand over one task and read its result, {title}: median",
            [ours("taskvisor, AddAndWatch + Wait", ours_of[way]),
             Entry("arena.enqueue, wait on a futex", f"round_trip/enqueue_park_{way}"),
             Entry("arena.enqueue, look first", f"round_trip/enqueue_look_{way}")],
            counter="p50_ns", unit="ns")


def attempts():
    entries = []
    for tasks in (1, 1000, 100_000):
        entries += [ours(f"taskvisor, repeats; {tasks:,} at once", f"repeat/success/{tasks}"),
                    ours(f"taskvisor, fails; {tasks:,} at once", f"repeat/failure/{tasks}"),
                    Entry(f"task_group::run by itself; {tasks:,} at once", f"repeat/tg_redispatch/{tasks}")]
    yield BarChart("attempts", "One attempt of a task that runs again at once", entries, unit="ns per attempt")


def others():
    yield BarChart(
        "stop", "Stop and look, per task",
        [ours("Cancel", "cancel/0"), ours("Cancel, among 100,000 others", "cancel/100000"),
         ours("Remove", "remove/0"), ours("Remove, among 100,000 others", "remove/100000"),
         ours("Shutdown of 100,000", "shutdown/100000"), ours("Shutdown of 1,000,000", "shutdown/1000000"),
         ours("List of 100,000", "list/100000"), Entry(TG + ", for scale", "run/tg_run/100000")])
    yield BarChart(
        "timers", "Timers, a million of them: CPU time of all threads",
        [ours("taskvisor, arm and cancel", "timers/queue_cancel/1000000"),
         Entry("asio::steady_timer, arm and cancel", "timers/asio_cancel/1000000"),
         ours("taskvisor, arm and fire", "timers/queue_fire/1000000"),
         Entry("asio::steady_timer, arm and fire", "timers/asio_fire/1000000")],
        counter="cpu_ns", unit="ns per timer")
    yield BarChart(
        "churn", "Add of one-shot tasks until all are over, by threads that add",
        [ours("1 thread", "churn/1"), ours("2 threads", "churn/2"), ours("4 threads", "churn/4"),
         Entry(TG + ", 1 thread", "run/tg_run/100000")])
    yield Curve(
        "names_by_tasks", "AddAndWatch of a named task, over the number of names registered",
        [ours("taskvisor", "names/{}")], sizes=(1000, 10_000, 100_000, 1_000_000), across="names registered")


def charts():
    for group in (one_shot, round_trips, attempts, others):
        yield from group()
