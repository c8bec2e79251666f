// ms, ma and me on the store.
import LarderStore

extension Session {
    // MARK: ms

    /// An `ms` whose value is whole in the input.
    func metaSet(
        _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let operation = call.operation
        let length = Int(operation.valueLength)
        guard let request = worker.flags.writeRequest else {
            reply.append("CLIENT_ERROR invalid mode for ms M token\r\n")
            return
        }
        let outcome: WriteOutcome
        let fits = worker.store.fits(keyLength: key.count, valueLength: length)
        if !fits {
            outcome = WriteOutcome(.tooLarge)
        } else if operation.bits.contains(.badChunk) {
            reply.append(Refusal.badChunk.text)
            return
        } else {
            if worker.observers != 0 { worker.observeFetchBeforeStore(key, at: call.place, now: call.now) }
            outcome = worker.store.write(
                key, at: call.place, value: input.extracting(operation.value), request, now: call.now)
        }
        if outcome.status == .outOfMemory || !fits {
            // Whatever the mode: rather nothing than an old value the client believes to have replaced.
            worker.store.discardOld(key, at: call.place)
        }
        worker.countWrite(
            key, request.mode, comparesCAS: request.comparesAsCAS, outcome, fits: fits,
            exptime: request.exptime,
            length: length)
        let isQuiet = worker.flags.has(Flag.quiet)
        guard Self.answerMetaSet(outcome, request, fits: fits, isQuiet: isQuiet, &reply) else { return }
        var words = Words(operation.flags)
        while let word = words.next(in: input) {
            switch input[word.lowerBound] {
            case Flag.cas: reply.append(flag: Flag.cas, outcome.cas)
            case Flag.size:
                reply.append(flag: Flag.size, UInt64(truncatingIfNeeded: outcome.lengthNow(request, length)))
            default: Self.appendEcho(word, call, key, input, &reply)
            }
        }
        reply.append("\r\n")
    }

    /// The status word of an `ms`, or the whole line of an error. False when nothing is to follow.
    static func answerMetaSet(
        _ outcome: WriteOutcome, _ request: WriteRequest, fits: Bool, isQuiet: Bool,
        _ reply: inout ReplyBuffer
    ) -> Bool {
        switch outcome.status {
        case .stored:
            if isQuiet { return false }
            reply.append("HD")
        case .exists: reply.append("EX")
        case .notStored: reply.append("NS")
        case .notFound where request.isAppend: reply.append("NS")
        case .notFound: reply.append("NF")
        // An append whose own value fits was not stored because the sum doesn't.
        case .tooLarge where fits: reply.append("NS")
        case .tooLarge:
            reply.append(Refusal.tooLarge.text)
            return false
        case .outOfMemory:
            reply.append(Refusal.outOfMemory.text)
            return false
        }
        return true
    }

    // MARK: ma

    func metaArithmetic(
        _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        guard let decrement = worker.flags.decrements else {
            reply.append("CLIENT_ERROR invalid mode for ma M token\r\n")
            return
        }
        if worker.flags.has(Flag.vivify) {
            return adjustOrCreate(call, decrement: decrement, key, input, &worker, &reply)
        }
        var sighting: Sighting?
        defer { if let sighting { worker.observe(key, sighting) } }
        switch worker.store.find(key, at: call.place, now: call.now) {
        case .hit(let item):
            if worker.observers != 0 { sighting = Sighting(item) }
            adjust(item, call, decrement: decrement, key, input, &worker, &reply)
        case .miss(let miss):
            worker.store.count(decrement ? .decrMisses : .incrMisses)
            worker.countMiss(key, miss, isGet: false)
            reply.append("NF")
            Self.endWithEchoes(call, key, input, &reply)
        }
    }

    private func adjustOrCreate(
        _ call: borrowing MetaCall, decrement: Bool, _ key: Span<UInt8>, _ input: Span<UInt8>,
        _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = digits.count
        var rest = worker.flags.initial
        repeat {
            first -= 1
            digits[first] = UInt8(truncatingIfNeeded: rest % 10) + 0x30
            rest /= 10
        } while rest > 0
        let vivified = worker.store.findOrCreate(
            key, at: call.place, now: call.now, value: digits.span.extracting(first..<digits.count),
            clientFlags: 0, exptime: .never, newCAS: worker.flags.newCAS)
        switch consume vivified {
        case .found(let item): adjust(item, call, decrement: decrement, key, input, &worker, &reply)
        case .created(let item, let miss):
            worker.countDeath(miss)
            answerNumber(worker.flags.initial, item, wasCreated: true, call, key, input, &worker, &reply)
        case .outOfMemory: reply.append("SERVER_ERROR Out of memory allocating new item\r\n")
        }
    }

    private func adjust(
        _ item: consuming LockedItem, _ call: borrowing MetaCall, decrement: Bool, _ key: Span<UInt8>,
        _ input: Span<UInt8>, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) {
        if item.valueLength > 0, let cas = worker.flags.compareCAS, cas != 0, cas != item.cas {
            reply.append("EX")
            return Self.endWithEchoes(call, key, input, &reply)
        }
        let slabClass = item.slabClass
        switch item.adjust(by: worker.flags.delta, decrement: decrement, newCAS: worker.flags.newCAS) {
        case .value(let value):
            worker.store.count(decrement ? .decrHits : .incrHits, slabClass: slabClass)
            answerNumber(value, item, wasCreated: false, call, key, input, &worker, &reply)
        case .nonNumeric:
            reply.append("CLIENT_ERROR cannot increment or decrement non-numeric value\r\n")
        case .outOfMemory: reply.append("SERVER_ERROR out of memory\r\n")
        }
    }

    private func answerNumber(
        _ value: UInt64, _ item: borrowing LockedItem, wasCreated: Bool, _ call: borrowing MetaCall,
        _ key: Span<UInt8>, _ input: Span<UInt8>, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let mark = reply.mark
        let withValue = worker.flags.has(Flag.value)
        if withValue {
            reply.append("VA ")
            reply.append(decimal: UInt64(Self.digitCount(value)))
        } else {
            reply.append("HD")
        }
        var words = Words(call.operation.flags)
        while let word = words.next(in: input) {
            switch input[word.lowerBound] {
            case Flag.cas: reply.append(flag: Flag.cas, item.cas)
            case Flag.ttl: Self.appendTTL(item.exptime, call.now, &reply)
            case Flag.setTTL: item.setExptime(worker.flags.exptime)
            case Flag.vivify: if wasCreated { item.setExptime(worker.flags.vivifyExptime) }
            default: Self.appendEcho(word, call, key, input, &reply)
            }
        }
        if withValue {
            reply.append("\r\n")
            reply.append(decimal: value)
        }
        reply.append("\r\n")
        if worker.flags.has(Flag.quiet) { reply.dropBytes(after: mark) }
    }

    private static func digitCount(_ value: UInt64) -> Int {
        var rest = value
        var count = 1
        while rest >= 10 {
            rest /= 10
            count += 1
        }
        return count
    }

    // MARK: me

    /// `me <key> [b]`: one line about an item, for people.
    func executeMetaDebug(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        guard operation.key.count <= WorkerContext.longestKey else {
            return reply.append(Refusal.badLine.text)
        }
        worker.store.count(.cmdMeta)
        var words = Words(operation.flags)
        guard let flag = words.next(in: input), flag.count == 1, input[flag.lowerBound] == Flag.base64 else {
            let key = input.extracting(operation.key)
            return describe(key, operation.place, isBinary: false, turn, &worker, &reply)
        }
        var scratch = DecodedKey(repeating: 0)
        guard let length = Base64.decode(input.extracting(operation.key), into: &scratch) else {
            return reply.append(Refusal.badLine.text)
        }
        let key = scratch.span.extracting(0..<length)
        describe(key, worker.store.place(key), isBinary: true, turn, &worker, &reply)
    }

    private func describe(
        _ key: Span<UInt8>, _ place: KeyPlace, isBinary: Bool, _ turn: Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        switch worker.store.find(key, at: place, now: turn.now) {
        case .miss(let miss):
            worker.countDeath(miss)
            reply.append("EN\r\n")
        case .hit(let item):
            reply.append("ME ")
            if isBinary { Base64.append(key, to: &reply) } else { reply.append(key) }
            reply.append(" exp=")
            if item.exptime == .never {
                reply.append("-1")
            } else {
                reply.append(decimal: Int64(item.exptime.rawValue) - Int64(turn.now.rawValue))
            }
            reply.append(" la=")
            reply.append(decimal: UInt64(turn.now.rawValue &- item.lastAccess(now: turn.now).rawValue))
            reply.append(" cas=")
            reply.append(decimal: item.cas)
            reply.append(item.isFetched ? " fetch=yes cls=" : " fetch=no cls=")
            reply.append(decimal: UInt64(item.slabClass))
            reply.append(" size=")
            reply.append(decimal: UInt64(truncatingIfNeeded: item.totalSize))
            reply.append("\r\n")
        }
    }
}

extension MetaFlags {
    /// What an `ms` with these flags asks of the store; nil if its mode is none.
    var writeRequest: WriteRequest? {
        var request = WriteRequest()
        request.clientFlags = clientFlags
        request.exptime = exptime
        // 0 means the next, as for every cas that isn't chosen.
        request.newCAS = newCAS == 0 ? nil : newCAS
        switch mode {
        case 0, 0x53: request.mode = .set       // S
        case 0x45: request.mode = .add          // E
        case 0x41: request.mode = .append       // A
        case 0x50: request.mode = .prepend      // P
        case 0x52: request.mode = .replace      // R
        default: return nil
        }
        switch request.mode {
        case .add: break
        case .append, .prepend:
            request.vivifies = has(Flag.vivify)
            request.vivifyExptime = vivifyExptime
            if cas != 0 { request.compareCAS = compareCAS }
        case .set, .replace:
            request.compareCAS = compareCAS
            // A cas of 0 is nobody's: it never matches, and nothing is older.
            request.allowStale = has(Flag.invalidate) && cas != 0
        }
        return request
    }
}

extension MetaFlags {
    /// Whether an `ma` with this mode counts down; nil if it is none.
    var decrements: Bool? {
        switch mode {
        case 0, 0x49, 0x2B: false   // I +
        case 0x44, 0x2D: true       // D -
        default: nil
        }
    }
}

extension WriteRequest {
    var isAppend: Bool { mode == .append || mode == .prepend }
    /// Whether this counts as a `cas` command.
    var comparesAsCAS: Bool { compareCAS != nil && (mode == .set || mode == .replace) }
}

extension WriteOutcome {
    /// The length of the value that was `length` long as it came: more where it was appended to another.
    func lengthNow(_ request: WriteRequest, _ length: Int) -> Int {
        request.isAppend && valueLength > 0 ? valueLength : length
    }
}
