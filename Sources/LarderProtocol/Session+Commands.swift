// Rare commands: those that need no store or only its clock are answered here, the administrator's are handed
// on.
import LarderStore

extension Session {
    /// Executes the line of a `.command` operation; a verdict if the session can't go on by itself.
    mutating func executeCommand(
        _ operation: Operation, _ input: Span<UInt8>, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) -> Verdict? {
        let line = input.extracting(operation.key)
        var words = Words(0..<line.count)
        guard let verb = words.next(in: line) else {
            reply.append(Refusal.unknown.text)
            return nil
        }
        let isQuiet = WorkerContext.isNoreply(line, verb, words)
        let mark = reply.mark
        let outcome: AdminOutcome
        switch true {
        case line.spells(verb, "version") && verb.lowerBound == 0:
            reply.append("VERSION ")
            reply.append(worker.options.version)
            reply.append("\r\n")
            return nil
        case line.spells(verb, "mn") && verb.lowerBound == 0:
            reply.append("MN\r\n")
            return nil
        case line.spells(verb, "quit") && verb.lowerBound == 0: return .close
        case line.spells(verb, "flush_all"):
            executeFlush(line, words, isQuiet: isQuiet, &worker, &reply)
            if isQuiet { reply.rollback(to: mark, store: worker.store) }
            return nil
        // stats and watch are known only at the very start of a line, as in memcached.
        case verb.lowerBound > 0 && (line.spells(verb, "stats") || line.spells(verb, "watch")):
            outcome = .unknown
        default: outcome = executeAdmin(line, &worker, &reply)
        }
        return conclude(outcome, line, words, &reply)
    }

    private mutating func conclude(
        _ outcome: AdminOutcome, _ line: Span<UInt8>, _ words: Words, _ reply: inout ReplyBuffer
    ) -> Verdict? {
        switch outcome {
        case .answered: return nil
        case .unknown:
            // A browser, or who sends what browsers send: not worth an answer.
            if let last = words.last(in: line), last.count >= 5,
                line.spells(last.lowerBound..<last.lowerBound + 5, "HTTP/")
            {
                return .abort
            }
            reply.append(Refusal.unknown.text)
            return nil
        case .effect(let effect): return .effect(effect)
        case .dump(let cursor):
            enter(.dumping(cursor))
            return nil
        case .close: return .close
        }
    }

    /// `flush_all [delay] [noreply]`
    private func executeFlush(
        _ line: Span<UInt8>, _ words: Words, isQuiet: Bool, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let store = worker.store
        store.count(.cmdFlush)
        guard worker.options.allowsFlush else {
            reply.append("CLIENT_ERROR flush_all not allowed\r\n")
            return
        }
        var words = words
        var delay: Int64 = 0
        if words.count(in: line) != (isQuiet ? 1 : 0) {
            guard let word = words.next(in: line), let seconds = Number.signed(line, word) else {
                reply.append(Refusal.badExptime.text)
                return
            }
            delay = seconds
        }
        let now = store.now
        let moment = worker.options.moment(ofExptime: max(delay, 0), now: now)
        if delay <= 0 || (moment <= now && moment > .past) {
            store.flushAll()
        } else if moment > now {
            store.scheduleFlush(at: moment)
        }
        reply.append("OK\r\n")
    }
}
