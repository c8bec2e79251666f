// mg, md, ma and me on the store: flags in, return flags out, in the order they were asked for.
import LarderStore

/// A meta command being executed: what its steps share.
/// Its flags stand in `worker.flags`.
struct MetaCall: ~Copyable {
    let operation: Operation
    /// Of the key, decoded if need be.
    let place: KeyPlace
    let isBinaryKey: Bool
    let now: Moment
}

extension Session {
    /// mg, ms (whole), md, ma: checks the flags, decodes the key, and hands on.
    @inline(never)
    func executeMeta(
        _ operation: Operation, _ input: Span<UInt8>, _ turn: Turn, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let leadingWords = operation.kind == .metaSet ? 3 : 2
        worker.flags.read(input, operation, leadingWords: leadingWords, now: turn.now, worker.options)
        if operation.key.count > WorkerContext.longestKey || worker.flags.fault != .none {
            return Self.refuseMeta(operation, worker.flags.fault, input, &reply)
        }
        guard worker.flags.has(Flag.base64) else {
            let call = MetaCall(
                operation: operation, place: operation.place, isBinaryKey: false, now: turn.now)
            return perform(call, input.extracting(operation.key), input, &worker, &reply)
        }
        var scratch = DecodedKey(repeating: 0)
        guard let length = Base64.decode(input.extracting(operation.key), into: &scratch) else {
            return Self.refuseMeta(operation, .badKey, input, &reply)
        }
        let key = scratch.span.extracting(0..<length)
        let call = MetaCall(
            operation: operation, place: worker.store.place(key), isBinaryKey: true, now: turn.now)
        perform(call, key, input, &worker, &reply)
    }

    /// Answers what is wrong with a meta command. `ma` has one text for nearly everything.
    private static func refuseMeta(
        _ operation: Operation, _ fault: MetaFault, _ input: Span<UInt8>, _ reply: inout ReplyBuffer
    ) {
        if !MetaFlags.areLetters(input, Words(operation.flags)) {
            reply.append(MetaFault.badLine.text)
        } else if operation.kind == .metaArithmetic {
            reply.append("CLIENT_ERROR invalid or duplicate flag\r\n")
        } else if operation.key.count > WorkerContext.longestKey {
            reply.append(MetaFault.badLine.text)
        } else {
            reply.append(fault.text)
        }
    }

    private func perform(
        _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        if worker.flags.hasLongOpaque, !Self.hasBadMode(operation: call.operation, worker.flags) {
            return reply.append(Self.longOpaque)
        }
        switch call.operation.kind {
        case .metaGet: metaGet(call, key, input, &worker, &reply)
        case .metaSet: metaSet(call, key, input, &worker, &reply)
        case .metaDelete: metaDelete(call, key, input, &worker, &reply)
        default: metaArithmetic(call, key, input, &worker, &reply)
        }
    }

    static let longOpaque: StaticString = "CLIENT_ERROR opaque token too long\r\n"

    /// ms and ma look at their mode before they look at the opaque.
    private static func hasBadMode(operation: Operation, _ flags: borrowing MetaFlags) -> Bool {
        switch operation.kind {
        case .metaSet: flags.writeRequest == nil
        case .metaArithmetic: flags.decrements == nil
        default: false
        }
    }

    // MARK: mg

    private func metaGet(
        _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        guard !worker.flags.has(Flag.vivify) else {
            return metaGetOrCreate(call, key, input, &worker, &reply)
        }
        let mark = reply.mark
        var isAnswered = true
        var sighting: Sighting?
        switch worker.store.find(key, at: call.place, now: call.now) {
        case .hit(let item):
            if worker.observers != 0 { sighting = Sighting(item) }
            isAnswered = answerHit(item, wasCreated: false, call, key, input, &worker, &reply)
        case .miss(let miss): answerMiss(miss, call, key, input, &worker, &reply)
        }
        if let sighting { worker.observe(key, sighting, isGet: true) }
        if !isAnswered { Self.answerNoMemory(mark, &worker, &reply) }
    }

    /// mg with N: who finds nothing gets an empty item to fill, and is told so; exactly one of several.
    private func metaGetOrCreate(
        _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let mark = reply.mark
        var isAnswered = true
        var sighting: Sighting?
        let vivified = worker.store.findOrCreate(
            key, at: call.place, now: call.now, value: key.extracting(0..<0), clientFlags: 0,
            exptime: .never,
            newCAS: worker.flags.newCAS)
        switch consume vivified {
        case .found(let item):
            if worker.observers != 0 { sighting = Sighting(item) }
            isAnswered = answerHit(item, wasCreated: false, call, key, input, &worker, &reply)
        case .created(let item, let miss):
            worker.countDeath(miss)
            if worker.observers != 0 { sighting = Sighting(item) }
            isAnswered = answerHit(item, wasCreated: true, call, key, input, &worker, &reply)
        case .outOfMemory(let miss): answerMiss(miss, call, key, input, &worker, &reply)
        }
        if let sighting { worker.observe(key, sighting, isGet: true) }
        if !isAnswered { Self.answerNoMemory(mark, &worker, &reply) }
    }

    /// The item's lock is held throughout, so that of several clients one wins. False: no reply memory.
    private func answerHit(
        _ item: borrowing LockedItem, wasCreated: Bool, _ call: borrowing MetaCall, _ key: Span<UInt8>,
        _ input: Span<UInt8>, _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) -> Bool {
        let withValue = worker.flags.has(Flag.value)
            && !(worker.flags.has(Flag.compareCAS) && worker.flags.cas == item.cas)
        if withValue {
            reply.append("VA ")
            reply.append(decimal: UInt64(truncatingIfNeeded: item.valueLength))
        } else {
            reply.append("HD")
        }
        var hasWon = wasCreated
        var words = Words(call.operation.flags)
        while let word = words.next(in: input) {
            switch input[word.lowerBound] {
            case Flag.setTTL: item.setExptime(worker.flags.exptime)
            case Flag.vivify: if wasCreated { item.setExptime(worker.flags.vivifyExptime) }
            case Flag.recache:
                if !wasCreated, !item.isWinSent, item.exptime != .never,
                    item.exptime < worker.flags.recacheTime
                {
                    hasWon = true
                }
            case Flag.size: reply.append(flag: Flag.size, UInt64(truncatingIfNeeded: item.valueLength))
            case Flag.ttl: Self.appendTTL(item.exptime, call.now, &reply)
            case Flag.cas: reply.append(flag: Flag.cas, item.cas)
            case Flag.clientFlags: reply.append(flag: Flag.clientFlags, UInt64(item.clientFlags))
            case Flag.lastAccess:
                let seconds = call.now.rawValue &- item.lastAccess(now: call.now).rawValue
                reply.append(flag: Flag.lastAccess, UInt64(seconds))
            case Flag.hit: reply.append(flag: Flag.hit, item.isFetched ? 1 : 0)
            default: Self.appendEcho(word, call, key, input, &reply)
            }
        }
        let isWinSent = item.isWinSent
        if isWinSent { reply.append(" Z") }
        if item.isStale {
            reply.append(" X")
            if !isWinSent { hasWon = true }
        }
        if hasWon {
            reply.append(" W")
            item.setWinSent(true)
        }
        reply.append("\r\n")
        let slabClass = item.slabClass
        let isWhole = !withValue || item.appendValue(to: &reply)
        if !worker.flags.has(Flag.noBump) { item.recordAccess(now: call.now) }
        if worker.flags.has(Flag.setTTL) {
            worker.store.count(.cmdGat)
            worker.store.count(.cmdTouch)
            worker.store.count(.touchHits, slabClass: slabClass)
        } else {
            worker.store.count(.getHits, slabClass: slabClass)
        }
        return isWhole
    }

    private func answerMiss(
        _ miss: Miss, _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>,
        _ worker: inout WorkerContext, _ reply: inout ReplyBuffer
    ) {
        worker.store.count(.getMisses)
        worker.countMiss(key, miss, isGet: true)
        if worker.flags.has(Flag.quiet) { return }
        reply.append("EN")
        Self.endWithEchoes(call, key, input, &reply)
    }

    // MARK: md

    private func metaDelete(
        _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>, _ worker: inout WorkerContext,
        _ reply: inout ReplyBuffer
    ) {
        let store = worker.store
        switch store.find(key, at: call.place, now: call.now) {
        case .miss(let miss):
            store.count(.deleteMisses)
            worker.countMiss(key, miss)
            if worker.observers != 0 {
                worker.observeDelete(key, .md, wasFound: false, slabClass: 0, size: 0)
            }
            reply.append("NF")
        case .hit(var item):
            let sighting = Sighting(item)
            if let cas = worker.flags.compareCAS, cas != item.cas {
                store.count(.deleteMisses)
                reply.append("EX")
                break
            }
            if worker.flags.has(Flag.dropValue) {
                guard item.dropValue(newCAS: worker.flags.newCAS) else {
                    reply.append(Refusal.outOfMemory.text)
                    return
                }
                item.setExptime(worker.flags.exptime)
            }
            if worker.flags.has(Flag.invalidate) {
                if worker.flags.has(Flag.setTTL) { item.setExptime(worker.flags.exptime) }
                item.setStale(true)
                item.setWinSent(false)
                item.setCAS(worker.flags.newCAS)
            } else {
                store.count(.deleteHits, slabClass: sighting.slabClass)
                if !worker.flags.has(Flag.dropValue) { item.delete() }
                if worker.observers != 0 {
                    worker.observe(key, sighting)
                    worker.observeDelete(
                        key, .md, wasFound: true, slabClass: sighting.slabClass, size: sighting.size)
                }
            }
            if worker.flags.has(Flag.quiet) { return }
            reply.append("HD")
        }
        Self.endWithEchoes(call, key, input, &reply)
    }

    // MARK: Return flags

    /// The return flags that need no item: O and k.
    @inline(__always)
    static func appendEcho(
        _ word: Range<Int>, _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>,
        _ reply: inout ReplyBuffer
    ) {
        switch input[word.lowerBound] {
        case Flag.opaque:
            reply.append(byte: 0x20)
            reply.append(input, from: word.lowerBound, to: word.upperBound)
        case Flag.key: appendKey(key, isBinary: call.isBinaryKey, &reply)
        default: break
        }
    }

    /// O and k in the order they were asked for, and the end of the line.
    static func endWithEchoes(
        _ call: borrowing MetaCall, _ key: Span<UInt8>, _ input: Span<UInt8>, _ reply: inout ReplyBuffer
    ) {
        var words = Words(call.operation.flags)
        while let word = words.next(in: input) { appendEcho(word, call, key, input, &reply) }
        reply.append("\r\n")
    }

    static func appendKey(_ key: Span<UInt8>, isBinary: Bool, _ reply: inout ReplyBuffer) {
        reply.append(" k")
        if isBinary {
            Base64.append(key, to: &reply)
            reply.append(" b")
        } else {
            reply.append(key)
        }
    }

    /// ` t<seconds left>`; -1 for an item without end.
    static func appendTTL(_ exptime: Moment, _ now: Moment, _ reply: inout ReplyBuffer) {
        if exptime == .never {
            reply.append(" t-1")
        } else {
            reply.append(flag: Flag.ttl, exptime > now ? UInt64(exptime.rawValue &- now.rawValue) : 0)
        }
    }
}
