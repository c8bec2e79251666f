// The conversation with one daemon: connect without waiting, ask, take what comes, notice when nobody
// answers. It never blocks (the resolver aside) and never ends because a daemon does.
import Glibc

/// What is asked for in one round.
enum Question: Sendable {
    case credentials(String)
    case larder, general, slabs, items, clients

    var text: String {
        switch self {
        case .credentials(let words): "set auth 0 0 \(words.utf8.count)\r\n\(words)\r\n"
        case .larder: "stats larder\r\n"
        case .general: "stats\r\n"
        case .slabs: "stats slabs\r\n"
        case .items: "stats items\r\n"
        case .clients: "stats conns\r\n"
        }
    }
}

final class Link {
    enum Outcome {
        case nothing
        case answered(Sample)
        case failed(String)
    }

    private enum State { case closed, connecting, open }

    let target: Target
    /// "user password", said first on each connection.
    private let credentials: String?
    private(set) var descriptor: Int32 = -1
    private var state = State.closed
    private var addresses: ArraySlice<Address> = []
    private var reader = AnswerReader()
    private var unsent: ArraySlice<UInt8> = []
    private var awaited: ArraySlice<Question> = []
    private var sample = Sample(time: 0)
    private var slabs = Answer()
    private var deadline = 0.0
    /// Larder's own version, asked once for each connection.
    private(set) var larderVersion: String?
    /// The daemon has said something, be it a refusal.
    private(set) var hasAnswered = false

    init(target: Target, credentials: String?) {
        self.target = target
        self.credentials = credentials
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    var isBusy: Bool { !awaited.isEmpty }

    /// What to poll for.
    var interest: Int16 {
        switch state {
        case .closed: 0
        case .connecting: Int16(POLLOUT)
        case .open: Int16(POLLIN) | (unsent.isEmpty ? 0 : Int16(POLLOUT))
        }
    }

    /// Begins a round, unless the last one is still going on.
    func ask(_ questions: [Question], now: Double, patience: Double) -> Outcome {
        guard !isBusy else { return .nothing }
        deadline = now + patience
        sample = Sample(time: now)
        slabs = Answer()
        var all = questions
        if state == .closed {
            all.insert(.larder, at: 0)
            if let credentials { all.insert(.credentials(credentials), at: 0) }
            switch target.addresses() {
            case .failure(let failure): return .failed(failure.reason)
            case .success(let found): addresses = found[...]
            }
        }
        awaited = all[...]
        unsent = Array(all.map(\.text).joined().utf8)[...]
        return state == .closed ? connectNext("no address") : .nothing
    }

    /// `events` as poll reports them.
    func ready(_ events: Int16, now: Double) -> Outcome {
        if state == .connecting {
            guard events != 0 else { return .nothing }
            var fault: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &fault, &size)
            if fault != 0 { return connectNext(systemFault(fault)) }
            state = .open
        }
        guard state == .open else { return .nothing }
        if let fault = write() { return fail(fault) }
        return events & Int16(POLLIN | POLLHUP | POLLERR) == 0 ? .nothing : read(now)
    }

    func checkDeadline(now: Double) -> Outcome {
        guard isBusy, now > deadline else { return .nothing }
        return state == .connecting ? connectNext("no answer") : fail("no answer")
    }

    private func connectNext(_ fault: String) -> Outcome {
        hangUp()
        var reason = fault
        while let address = addresses.popFirst() {
            switch address.connect() {
            case .success(let new):
                descriptor = new
                state = .connecting
                return .nothing
            case .failure(let failure): reason = failure.reason
            }
        }
        return fail(reason)
    }

    private func hangUp() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        state = .closed
        reader = AnswerReader()
    }

    private func fail(_ reason: String) -> Outcome {
        hangUp()
        awaited = []
        unsent = []
        larderVersion = nil
        return .failed(reason)
    }

    private func write() -> String? {
        while !unsent.isEmpty {
            let count = unsent.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0 { return errno == EAGAIN ? nil : systemFault(errno) }
            unsent = unsent.dropFirst(count)
        }
        return nil
    }

    /// Reads a bounded amount, so that one daemon with much to say doesn't keep the keys waiting.
    private func read(_ now: Double) -> Outcome {
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        for _ in 0..<16 {
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return .nothing }
            guard count > 0 else {
                return fail(count == 0 ? "closed the connection" : systemFault(errno))
            }
            guard isBusy else { return fail("spoke without being asked") }
            do {
                for answer in try reader.feed(chunk[..<count]) {
                    hasAnswered = true
                    guard let question = awaited.popFirst() else { return fail("answered too much") }
                    if let fault = take(answer, to: question) { return fail(fault) }
                }
            } catch {
                return fail(error.reason)
            }
            if !isBusy { return reader.isEmpty ? .answered(sample) : fail("answered too much") }
        }
        return .nothing
    }

    /// What is wrong with the answer, if it ends the conversation.
    private func take(_ answer: Answer, to question: Question) -> String? {
        // Not `contains`: searching a string for a string links all of the standard library's regex engine.
        if let refusal = answer.refusal, refusal.hasPrefix("CLIENT_ERROR unauthenticated") {
            return "wants a password (-Y)"
        }
        switch question {
        case .credentials:
            if answer.refusal != nil { return "refuses the password" }
        case .larder:
            larderVersion = answer.rows.first { $0.name == "larder_version" }?.value
        case .general:
            if let refusal = answer.refusal { return refusal }
            sample.takeGeneral(answer)
        case .slabs: slabs = answer
        case .items: sample.takeClasses(slabs: slabs, items: answer)
        case .clients: sample.takeClients(answer)
        }
        return nil
    }
}
