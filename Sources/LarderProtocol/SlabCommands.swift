// `slabs` and `lru`: page moves between classes, and the few knobs of the eviction policy that Larder has.
// Knobs of memcached that turn nothing here are refused with the reason, so that nobody tunes a lever that
// isn't connected.
import LarderStore

enum SlabCommands {
    @Sendable
    static func slabs(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        if words.count == 4, words[1] == "reassign" {
            reassign(words, worker, &reply)
        } else if words.count >= 3, words[1] == "automove" {
            automove(words, worker, &reply)
        } else {
            reply.append("ERROR\r\n")
        }
        return .answered
    }

    private static func reassign(
        _ words: [String], _ worker: borrowing WorkerContext, _ reply: inout ReplyBuffer
    ) {
        guard worker.options.stats.slabReassign else {
            reply.append("CLIENT_ERROR slab reassignment disabled\r\n")
            return
        }
        guard let source = Arguments.signed(words, 2), let target = Arguments.signed(words, 3) else {
            reply.append("CLIENT_ERROR bad command line format\r\n")
            return
        }
        switch worker.store.reassignPage(from: Int(source), to: Int(target)) {
        case .ok: reply.append("OK\r\n")
        case .busy: reply.append("BUSY currently processing reassign request\r\n")
        case .badClass: reply.append("BADCLASS invalid src or dst class id\r\n")
        case .noSpare: reply.append("NOSPARE source class has no spare pages\r\n")
        case .same: reply.append("SAME src and dst class are identical\r\n")
        case .unsafe: reply.append("UNSAFE source class has items that can not be moved now\r\n")
        }
    }

    private static func automove(
        _ words: [String], _ worker: borrowing WorkerContext, _ reply: inout ReplyBuffer
    ) {
        switch words[2] {
        case "ratio", "freeratio":
            guard Arguments.real(words, 3) != nil else {
                reply.append("ERROR\r\n")
                return
            }
            reply.append("ERROR automove ratios have no effect here: ages decide\r\n")
        case "window":
            guard let window = Arguments.unsigned(words, 3) else {
                reply.append("CLIENT_ERROR bad command line format\r\n")
                return
            }
            guard (3...1800).contains(window) else {
                reply.append("CLIENT_ERROR automove window too low or too high\r\n")
                return
            }
            reply.append("ERROR automove window has no effect here: moves follow the bytes inserted\r\n")
        default:
            guard let mode = Arguments.unsigned(words, 2) else {
                reply.append("CLIENT_ERROR bad command line format\r\n")
                return
            }
            guard mode <= 2 else {
                reply.append("ERROR\r\n")
                return
            }
            worker.store.setAutomove(Int(mode))
            worker.admin.remember("slab_automove", String(mode))
            reply.append("OK\r\n")
        }
    }

    /// Items of one class that may be new and unproven, whatever `lru tune` asks for.
    private static let probationPercentDefault = 10

    @Sendable
    static func lru(
        _ words: [String], _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> AdminOutcome {
        if words.count >= 6, words[1] == "tune" {
            tune(words, worker, &reply)
        } else if words.count >= 3, words[1] == "mode", worker.options.stats.maintainer {
            mode(words[2], worker, &reply)
        } else if words.count >= 3, words[1] == "temp_ttl", worker.options.stats.maintainer {
            temporaryTTL(words, &reply)
        } else {
            reply.append("ERROR\r\n")
        }
        return .answered
    }

    /// `hot%` is the share of a class for items not yet proven; the other three numbers are checked and,
    /// having no counterpart, left as they were in `stats settings`.
    private static func tune(
        _ words: [String], _ worker: borrowing WorkerContext, _ reply: inout ReplyBuffer
    ) {
        guard let hot = Arguments.unsigned(words, 2), let warm = Arguments.unsigned(words, 3),
            let hotFactor = Arguments.real(words, 4), let warmFactor = Arguments.real(words, 5)
        else {
            reply.append("ERROR\r\n")
            return
        }
        if UInt64(hot) + UInt64(warm) > 80 {
            reply.append("ERROR hot and warm pcts must not exceed 80\r\n")
        } else if hotFactor <= 0 || warmFactor <= 0 {
            reply.append("ERROR hot/warm age factors must be greater than 0\r\n")
        } else if worker.store.setProbationShare(percent: Int(hot)) {
            worker.admin.remember("hot_lru_pct", String(hot))
            reply.append("OK\r\n")
        } else {
            reply.append("ERROR lru tune has no effect here: new items' share is fixed\r\n")
        }
    }

    /// `flat`: new items are proven at once, one list per class; `segmented`: they are on probation first.
    private static func mode(
        _ word: String, _ worker: borrowing WorkerContext, _ reply: inout ReplyBuffer
    ) {
        guard word == "flat" || word == "segmented" else {
            reply.append("ERROR\r\n")
            return
        }
        let isFlat = word == "flat"
        if worker.store.setProbationShare(percent: isFlat ? 0 : probationPercentDefault) {
            worker.admin.remember("lru_segmented", isFlat ? "no" : "yes")
            reply.append("OK\r\n")
        } else {
            reply.append("ERROR lru mode has no effect here: new items are always on probation first\r\n")
        }
    }

    private static func temporaryTTL(_ words: [String], _ reply: inout ReplyBuffer) {
        guard let ttl = Arguments.signed(words, 2) else {
            reply.append("ERROR\r\n")
            return
        }
        if ttl < 0 {
            // Off is what it is.
            reply.append("OK\r\n")
        } else {
            reply.append("ERROR temp_ttl has no effect here: expired items go first whatever their ttl\r\n")
        }
    }
}
