"""What a run says, as Markdown tables."""

FEW = 0.1        # of the rounds of several producers: in fewer they did not really meet
OTHER_MODE = 1.5  # canaries that differ by more: the rows ran on what were two machines


def show(number):
    return "" if number is None else f"{number:.4g}"


def markdown(head, lines):
    lines = [head] + list(lines)
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths)) + " |" for line in lines]
    return "\n".join([text[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *text[1:]])


def ratio_table(lines):
    head = ["row", "ours", "baseline", "of", "ratio", "bar", "stretch", ""]
    return markdown(head, ([line.bar.name,
                            f"{show(line.ours)} {line.bar.unit or 'ns'}",
                            f"{show(line.base)} ns" if line.best else "-",
                            line.best or "-",
                            f"{line.value:.2f}" if line.best else "-",
                            f"{show(line.limit)} {line.bar.unit}".strip() if line.limit is not None else "",
                            show(line.bar.stretch), line.verdict] for line in lines))


def row_table(rows, counters):
    """Every row by itself."""
    extras = [c for c in ("p99_ns", "per_add", "contended", "build_ns", "cpu_ns")
              if any(rows.has(name, c) for name in rows.names())]
    head = ["row", "median", "of", "spread", *extras, "events", "lost", "dropped"]

    def line(name):
        counter = next(c for c in counters if rows.has(name, c))
        return [name, f"{rows.median(name, counter):.4g}", counter, rows.spread(name, counter),
                *(f"{rows.median(name, c):.4g}" if rows.has(name, c) else "" for c in extras),
                *(f"{rows.total(name, c):.0f}" for c in ("events", "lost", "dropped"))]

    return markdown(head, map(line, rows.names()))


def describe(rows):
    context = rows.context
    load = ", ".join(f"{x:.1f}" for x in context.get("load_avg", []))
    parts = [f"{context['num_cpus']} CPUs at {context['mhz_per_cpu']} MHz", f"load {load} at the start"]
    parts += [f"{key} {context[key]}" for key in ("cpu", "compiler", "commit") if key in context]
    return f"{context['date']}: {', '.join(parts)}. Medians of {rows.repetitions()} repetitions at least."


def doubts(rows, lines):
    """What the figures suffer from, a sentence each."""
    apart = [name for name in rows.names()
             if rows.has(name, "contended") and rows.median(name, "contended") < FEW]
    if apart:
        yield "hardly contended, so hardly to be trusted: " + ", ".join(apart)
    if rows.dropped:
        yield "repetitions dropped because a cache line's round trip moved meanwhile: " + ", ".join(
            f"{name} {count}" for name, count in sorted(rows.dropped.items()))
    for line in lines:
        canaries = [rows.canary(name) for name in (line.bar.ours, line.best) if name]
        if len(canaries) == 2 and all(canaries) and max(canaries) > OTHER_MODE * min(canaries):
            yield f"{line.bar.name}: a cache line's round trip took {canaries[0]:.0f} and {canaries[1]:.0f} ns"
