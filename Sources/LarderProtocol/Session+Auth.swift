// The gate of `-Y`: until a client has named a user and a password, nothing else is listened to.
import LarderStore

extension Session {
    /// Longest "user password" that is looked at.
    private static let longestToken = 16384

    /// Answers one attempt: `set <any key> <any> <any> <bytes>` with "user password" as its value. Nil when
    /// it has been answered. A password that has been judged is wiped from the input; a wrong one may have to
    /// wait for its answer, which is then the first thing given when the session goes on.
    mutating func authenticate(
        _ input: Span<UInt8>, _ turn: inout Turn, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> Verdict? {
        if standing.waitsFor == .refusal { answerRefusal(&reply) }
        let start = turn.position
        guard start < input.count else { return .needInput }
        guard let line = worker.nextLine(input, &turn) else {
            return turn.stop == .close ? .close : .needInput
        }
        if line.next - line.start < 7 { return .close }
        var words = Words(line.start..<line.end)
        let verb = words.next(in: input)
        _ = words.next(in: input)
        _ = words.next(in: input)
        _ = words.next(in: input)
        guard let verb, let bytes = words.next(in: input), input.spells(verb, "set"),
            let length = Number.unsigned(input, bytes).flatMap(UInt32.init(exactly:)).map(Int.init)
        else {
            reply.append(Refusal.unauthenticated.text)
            return nil
        }
        guard length <= Self.longestToken else {
            reply.append("CLIENT_ERROR auth token too long\r\n")
            return nil
        }
        let end = line.next + length
        guard input.count >= end + 2 else {
            turn.position = start
            return .needInput
        }
        turn.position = end + 2
        guard input[end] == 0x0D, input[end + 1] == 0x0A else {
            reply.append("CLIENT_ERROR bad command line termination\r\n")
            return nil
        }
        let userEnd = Bytes.wordEnd(in: input, from: line.next, to: end)
        guard userEnd < end else {
            reply.append("CLIENT_ERROR bad authentication token format\r\n")
            return nil
        }
        let hasWaited = standing.waitsFor == .judgement
        standing.waitsFor = .nothing
        let answer = worker.facts.checkCredentials(
            user: input.extracting(line.next..<userEnd), password: input.extracting(userEnd + 1..<end),
            descriptor: worker.descriptor, hasWaited: hasWaited)
        if case .askAgain(let milliseconds) = answer {
            turn.position = start
            standing.waitsFor = .judgement
            return .pause(milliseconds: milliseconds)
        }
        worker.store.count(.authCommands)
        switch answer {
        case .welcome:
            standing.isAuthenticated = true
            reply.append("STORED\r\n")
        case .refused(let milliseconds):
            worker.store.count(.authErrors)
            standing.waitsFor = .refusal
            if milliseconds > 0 { return .pause(milliseconds: milliseconds) }
            answerRefusal(&reply)
        case .askAgain: break
        }
        return .effect(.wipeInput)
    }

    private mutating func answerRefusal(_ reply: inout ReplyBuffer) {
        standing.waitsFor = .nothing
        reply.append("CLIENT_ERROR authentication failure\r\n")
    }
}
