// `stats` and its sub-commands: one row per word that may follow.
import LarderStore

enum StatsCommand {
    private static let subcommands: [(name: String, handler: AdminCommands.Handler)] = [
        ("reset", reset), ("detail", detail), ("settings", settings), ("cachedump", cachedump),
        ("conns", conns), ("items", items), ("slabs", slabs), ("sizes", sizes),
        ("sizes_enable", sizesEnable), ("sizes_disable", sizesDisable), ("larder", larder),
    ]

    @Sendable
    static func execute(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard words.count > 1 else {
            StatsReport.append(GeneralStats.rows, of: collect(worker), to: &reply)
            return .answered
        }
        guard let subcommand = subcommands.first(where: { $0.name == words[1] }) else {
            reply.append("ERROR\r\n")
            return .answered
        }
        return subcommand.handler(words, &worker, &reply)
    }

    private static func collect(_ worker: borrowing WorkerContext) -> StatsFacts {
        StatsFacts.collect(
            store: worker.store, facts: worker.facts, admin: worker.admin, options: worker.options)
    }

    @Sendable
    private static func reset(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        worker.store.resetStatistics()
        worker.facts.resetFigures()
        worker.admin.prefixes.reset()
        worker.admin.resetFigures()
        reply.append("RESET\r\n")
        return .answered
    }

    @Sendable
    private static func detail(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard worker.options.allowsDumps else {
            reply.append("CLIENT_ERROR stats detail not allowed\r\n")
            return .answered
        }
        switch words.count > 2 ? words[2] : "" {
        case "on", "off":
            worker.admin.setDetail(words[2] == "on")
            worker.admin.remember("detail_enabled", words[2] == "on" ? "yes" : "no")
            // What follows in this very batch is counted, or not, already.
            worker.refreshObservers()
            reply.append("OK\r\n")
        case "dump": worker.admin.prefixes.appendDump(to: &reply)
        default: reply.append("CLIENT_ERROR usage: stats detail on|off|dump\r\n")
        }
        return .answered
    }

    @Sendable
    private static func settings(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        StatsReport.appendSettings(
            worker.facts.settingRows(), changed: worker.admin.rememberedSettings, to: &reply)
        return .answered
    }

    /// Class numbers end here in memcached; it tells a number beyond from a class that is merely empty.
    private static let classesMax: UInt32 = 256

    @Sendable
    private static func cachedump(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard worker.options.allowsDumps else {
            reply.append("CLIENT_ERROR stats cachedump not allowed\r\n")
            return .answered
        }
        guard words.count >= 4 else {
            reply.append("CLIENT_ERROR bad command line\r\n")
            return .answered
        }
        guard let id = Arguments.unsigned(words, 2), let limit = Arguments.unsigned(words, 3) else {
            reply.append("CLIENT_ERROR bad command line format\r\n")
            return .answered
        }
        guard id < classesMax else {
            reply.append("CLIENT_ERROR Illegal slab id\r\n")
            return .answered
        }
        let classes = [UInt8(truncatingIfNeeded: id)]
        return start(DumpCursor(.cachedump(limit: limit), classes: classes, worker.admin), &reply)
    }

    private static func start(_ cursor: DumpCursor?, _ reply: inout ReplyBuffer) -> AdminOutcome {
        if let cursor { return .dump(cursor) }
        reply.append("SERVER_ERROR too many dumps under way\r\n")
        return .answered
    }

    @Sendable
    private static func conns(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        StatsReport.appendConnections(worker.facts.connectionRows(), to: &reply)
        return .answered
    }

    @Sendable
    private static func items(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        StatsReport.appendItems(of: collect(worker), to: &reply)
        return .answered
    }

    @Sendable
    private static func slabs(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        StatsReport.appendSlabs(of: collect(worker), to: &reply)
        return .answered
    }

    @Sendable
    private static func larder(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        StatsReport.append(LarderStats.rows, of: collect(worker), to: &reply)
        return .answered
    }

    // MARK: Sizes. Nothing is counted ahead: where it is switched on, asking walks over the items.

    @Sendable
    private static func sizes(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        guard worker.admin.tracksSizes else {
            StatsReport.appendLine("sizes_status", "disabled", to: &reply)
            StatsReport.appendEnd(to: &reply)
            return .answered
        }
        return start(DumpCursor(.sizes, classes: nil, worker.admin), &reply)
    }

    @Sendable
    private static func sizesEnable(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        setTracksSizes(true, worker, &reply)
    }

    @Sendable
    private static func sizesDisable(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        setTracksSizes(false, worker, &reply)
    }

    private static func setTracksSizes(
        _ on: Bool, _ worker: borrowing WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        worker.admin.setTracksSizes(on)
        worker.admin.remember("track_sizes", on ? "yes" : "no")
        StatsReport.appendLine("sizes_status", on ? "enabled" : "disabled", to: &reply)
        StatsReport.appendEnd(to: &reply)
        return .answered
    }
}
