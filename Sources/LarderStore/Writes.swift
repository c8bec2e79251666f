// Storing: set, add, replace, append, prepend, cas, in one call when the value is at hand, or by a
// reservation when it comes in pieces. Both end in the same judgement and the same linking, under one lock of
// the key's stripe.
import Glibc

extension StoreClient {
    /// Whether an item of this size may be stored at all (`-I`).
    @inline(__always)
    public func fits(keyLength: Int, valueLength: Int) -> Bool {
        valueLength >= 0 && valueLength < 1 << 31
            && Item.bytes(keyLength: keyLength, valueLength: valueLength, marks: 0)
                <= core.pointee.options.itemSizeMax
    }

    /// Stores a value that is at hand.
    public func write(
        _ key: Span<UInt8>, at place: KeyPlace, value: Span<UInt8>, _ request: WriteRequest, now: Moment
    ) -> WriteOutcome {
        key.withUnsafeBufferPointer { key in
            value.withUnsafeBufferPointer { value in
                let writer = Writer(
                    client: self, key: UnsafeRawBufferPointer(key), place: place, request: request, now: now)
                return writer.write(UnsafeRawBufferPointer(value))
            }
        }
    }

    /// Memory for a value that comes in pieces; nil if it can never fit. No memory is taken before the first
    /// byte comes.
    /// `choosesCAS`: the request that will commit it has a `newCAS`.
    public func reserve(
        _ key: Span<UInt8>, at place: KeyPlace, valueLength: Int, choosesCAS: Bool = false
    ) -> Reservation? {
        guard fits(keyLength: key.count, valueLength: valueLength) else { return nil }
        return key.withUnsafeBufferPointer { key in
            let hash = place.hash
            let stripe = core.pointee.stripe(Core.stripeIndex(hash))
            let found = core.pointee.lockAndLookUp(
                UnsafeRawPointer(key.baseAddress!), key.count, at: place)
            let known = found != 0 || core.pointee.hasGhost(hash)
            stripe.lock.unlock()
            return Reservation(
                client: self, key: UnsafeRawBufferPointer(key), hash: hash, valueLength: valueLength,
                marks: Item.hasFlags | (choosesCAS && core.pointee.options.usesCAS ? Item.hasCAS : 0),
                onProbation: !known)
        }
    }

    /// Links a complete reservation, or tells why not.
    public func commit(
        _ reservation: consuming Reservation, _ request: WriteRequest, now: Moment
    ) -> WriteOutcome {
        var reservation = reservation
        reservation.close()
        let key = reservation.copyOfKey
        return key.span.withUnsafeBufferPointer { bytes in
            let key = UnsafeRawBufferPointer(
                rebasing: UnsafeRawBufferPointer(bytes)[0..<reservation.keyLength])
            let place = core.pointee.place(reservation.hash)
            let writer = Writer(client: self, key: key, place: place, request: request, now: now)
            return writer.commit(&reservation)
        }
    }

    /// Removes what is stored under the key: memcached's rule for a `set` that failed, lest the old value be
    /// taken for new.
    public func discardOld(_ key: Span<UInt8>, at place: KeyPlace) {
        if case .hit(let item) = find(key, at: place, now: now) { item.delete() }
    }
}

/// One write under way.
struct Writer {
    let client: StoreClient
    let key: UnsafeRawBufferPointer
    let place: KeyPlace
    let request: WriteRequest
    let now: Moment

    private var hash: UInt64 { @inline(__always) get { place.hash } }
    private var core: UnsafeMutablePointer<Core> { @inline(__always) get { client.core } }
    private var stripeIndex: Int { @inline(__always) get { Core.stripeIndex(hash) } }
    private var stripe: Stripe { @inline(__always) get { core.pointee.stripe(stripeIndex) } }

    @inline(__always)
    func marks(_ clientFlags: UInt32) -> UInt32 {
        (clientFlags != 0 ? Item.hasFlags : 0)
            | (request.newCAS != nil && core.pointee.options.usesCAS ? Item.hasCAS : 0)
    }

    // MARK: The two ways in

    @inline(__always)
    func write(_ value: UnsafeRawBufferPointer) -> WriteOutcome {
        let stripe = stripe
        let existing = lockAndFindLiving()
        let outcome: WriteOutcome
        switch judge(existing) {
        case .refuse(let status): outcome = refused(status, existing)
        case .store(let marksStale):
            outcome = stored(
                store(value, replacing: existing, marks: marks(request.clientFlags), stale: marksStale),
                valueLength: value.count)
        case .combine:
            outcome = combine(existing, with: ChainReader(core, bytes: value), valueLength: value.count)
        }
        stripe.lock.unlock()
        trim(keeping: outcome)
        return outcome
    }

    func commit(_ reservation: inout Reservation) -> WriteOutcome {
        let stripe = stripe
        let existing = lockAndFindLiving()
        let outcome: WriteOutcome
        switch judge(existing) {
        case .refuse(let status): outcome = refused(status, existing)
        case .store(let marksStale): outcome = link(&reservation, replacing: existing, stale: marksStale)
        case .combine:
            if reservation.hasFailed {
                outcome = WriteOutcome(.outOfMemory)
            } else {
                outcome = combine(
                    existing, with: ChainReader(core, reservation), valueLength: reservation.valueLength)
            }
        }
        stripe.lock.unlock()
        trim(keeping: outcome)
        return outcome
    }

    /// Locks the key's stripe. The key's item if it lives; a dead one is buried on the way.
    @inline(__always)
    private func lockAndFindLiving() -> Handle {
        let handle = core.pointee.lockAndLookUp(key.baseAddress!, key.count, at: place)
        guard handle != 0 else { return 0 }
        guard core.pointee.death(of: core.pointee.arena.item(handle), stripe, now: now) != nil else {
            return handle
        }
        core.pointee.bury(handle, hash: hash, counters: client.counters)
        return 0
    }

    // MARK: Judgement

    private enum Judgement {
        case refuse(WriteOutcome.Status)
        case store(stale: Bool)
        case combine
    }

    /// What the mode and the cas say, given the key's living item (or 0).
    @inline(__always)
    private func judge(_ existing: Handle) -> Judgement {
        var stale = false
        if let wanted = request.compareCAS {
            guard existing != 0 else { return request.vivifies ? .store(stale: false) : .refuse(.notFound) }
            let item = core.pointee.arena.item(existing)
            let cas = core.pointee.cas(of: item, item.shape, stripeIndex)
            if cas != wanted {
                guard request.allowStale, cas > wanted else { return .refuse(.exists) }
                stale = true
            }
        }
        switch request.mode {
        case .set: return .store(stale: stale)
        case .add: return existing == 0 ? .store(stale: stale) : .refuse(.notStored)
        case .replace: return existing != 0 ? .store(stale: stale) : .refuse(.notStored)
        case .append, .prepend:
            if existing != 0 { return .combine }
            return request.vivifies ? .store(stale: false) : .refuse(.notStored)
        }
    }

    private var exptime: Moment {
        @inline(__always) get {
            request.mode == .append || request.mode == .prepend ? request.vivifyExptime : request.exptime
        }
    }

    private func refused(_ status: WriteOutcome.Status, _ existing: Handle) -> WriteOutcome {
        WriteOutcome(status, slabClass: existing != 0 ? core.pointee.arena.slabClass(of: existing) : 0)
    }

    @inline(__always)
    private func stored(_ handle: Handle, valueLength: Int) -> WriteOutcome {
        if handle != 0 {
            let item = core.pointee.arena.item(handle)
            return WriteOutcome(
                .stored, cas: core.pointee.cas(of: item, item.shape, stripeIndex),
                slabClass: core.pointee.arena.slabClass(of: handle))
        }
        return WriteOutcome(.outOfMemory)
    }

    // MARK: Storing. All under the stripe's lock.

    /// Stores a whole value in place of `existing` (0: none). Returns its chunk; 0 when memory could not be
    /// had: then a `set` has removed the old value, too.
    @inline(__always)
    func store(
        _ value: UnsafeRawBufferPointer, replacing existing: Handle, marks: UInt32, stale: Bool = false
    ) -> Handle {
        let bytes = Item.bytes(keyLength: key.count, valueLength: value.count, marks: marks)
        guard bytes <= SlabClassTable.largestChunk else {
            return storeLong(value, replacing: existing, stale: stale)
        }
        let core = self.core
        let id = core.pointee.classID(forBytes: bytes)
        if existing != 0 {
            let item = core.pointee.arena.item(existing)
            let shape = item.shape
            if shape & Item.layout == marks, core.pointee.arena.slabClass(of: existing) == id {
                overwrite(existing, item, shape, value, id, stale: stale)
                return existing
            }
        }
        let chunk = chunk(of: id, replacing: existing)
        guard chunk != 0 else { return 0 }
        let item = core.pointee.arena.item(chunk)
        let shape = Item.shape(keyLength: key.count, valueLength: value.count, marks: marks)
        let keyStart = item.p + Item.keyOffset(shape)
        keyStart.copyShort(key.baseAddress!, key.count)
        Self.put(value, at: keyStart + key.count)
        return enter(chunk, item, shape, bytes: bytes, replacing: existing, stale: stale) ? chunk : 0
    }

    /// Value and line end.
    @inline(__always)
    private static func put(_ value: UnsafeRawBufferPointer, at start: UnsafeMutableRawPointer) {
        if let source = value.baseAddress { start.copyShort(source, value.count) }
        start.storeBytes(of: 0x0A0D, toByteOffset: value.count, as: UInt16.self)
    }

    /// A chunk for the new item. An item replaced by one of another size keeps its standing with the eviction
    /// policy.
    @inline(__always)
    private func chunk(of id: UInt8, replacing existing: Handle) -> Handle {
        let known: Bool
        if existing == 0 {
            known = core.pointee.hasGhost(hash)
            if known { stripe.state.pointee.ghostHits &+= 1 }
        } else {
            known = core.pointee.arena.item(existing).access & Item.probation == 0
        }
        let exptime = exptime
        let chunk = core.pointee.allocate(
            id, probation: !known, exptime: exptime, held: Held(stripe: stripeIndex, pinned: existing),
            now: now,
            counters: client.counters)
        if chunk != 0 || existing == 0 || request.mode != .set { return chunk }
        return 0
    }

    /// The same chunk takes the new value. The key stands where it stood, so a sweep may read it meanwhile.
    @inline(__always)
    private func overwrite(
        _ handle: Handle, _ item: Item, _ shape: UInt32, _ value: UnsafeRawBufferPointer, _ id: UInt8,
        stale: Bool
    ) {
        Self.put(value, at: item.p + Item.valueOffset(shape))
        let old = Item.inlineValueLength(shape)
        let grown = UInt64(bitPattern: Int64(value.count - old))
        if grown != 0 {
            stripe.state.pointee.bytes &+= grown
            client.counters.add(.bytesRequested, slabClass: id, grown)
        }
        let newShape = Item.shape(
            keyLength: key.count, valueLength: value.count,
            marks: shape & Item.layout | Item.linked | (stale ? Item.stale | shape & Item.winSent : 0))
        if shape & Item.hasFlags != 0 { item.setClientFlags(request.clientFlags) }
        core.pointee.assignCAS(item, shape, stripeIndex, request.newCAS)
        if !stale { core.pointee.setExptime(exptime, of: item, handle, now: now) }
        // A write speaks for the item as a read does; what is fetched is the new value, so that mark goes.
        item.updateAccess(core.pointee.bias) { old in
            let frequency = min(old & Item.frequencyMask + 1, 3)
            return now.rawValue << Item.secondsShift | old & (Item.probation | Item.roundMask) | frequency
        }
        item.publishShape(newShape)
        client.counters.add(.totalItems, 1)
    }

    /// Fills in the rest of a new item's header and puts it into the index in place of `existing`.
    @inline(__always)
    private func enter(
        _ chunk: Handle, _ item: Item, _ shape: UInt32, bytes: Int, replacing existing: Handle, stale: Bool
    ) -> Bool {
        let core = self.core
        // A stale value doesn't live longer than the one it replaces, nor give another client the win.
        var staleMarks: UInt32 = 0
        if stale, existing != 0 {
            let old = core.pointee.arena.item(existing)
            item.exptime = old.exptime
            staleMarks = Item.stale | old.shape & Item.winSent
        } else {
            item.exptime = exptime
        }
        if shape & Item.hasFlags != 0 { item.setClientFlags(request.clientFlags) }
        core.pointee.assignCAS(item, shape, stripeIndex, request.newCAS)
        if existing != 0 {
            item.access |= core.pointee.arena.item(existing).access & Item.frequencyMask
            replace(existing, by: chunk)
        } else if !core.pointee.insert(chunk, hash: hash, now: now, counters: client.counters) {
            let parts = shape & Item.chained != 0 ? item.firstPart(shape) : 0
            core.pointee.release(chunk)
            core.pointee.freeParts(parts)
            return false
        }
        item.publishShape(shape | Item.linked | staleMarks)
        let id = core.pointee.arena.slabClass(of: chunk)
        core.pointee.noteLinked(stripe, bytes: bytes, slabClass: id, client.counters)
        client.counters.add(.totalItems, 1)
        if core.pointee.isFull(stripeIndex) { core.pointee.split(stripeIndex) }
        return true
    }

    /// The index names `chunk` where it named `existing`, whose memory goes back.
    private func replace(_ existing: Handle, by chunk: Handle) {
        let core = self.core
        guard let slot = core.pointee.slot(of: existing, hash: hash) else { return }
        slot.bucket.setHandle(slot.index, chunk)
        let old = core.pointee.arena.item(existing)
        let shape = old.shape
        let id = core.pointee.arena.slabClass(of: existing)
        core.pointee.noteUnlinked(stripe, old, shape, slabClass: id, client.counters)
        core.pointee.retire(existing, shape, id)
    }

    // MARK: Long values and combinations

    @inline(never)
    private func storeLong(_ value: UnsafeRawBufferPointer, replacing existing: Handle, stale: Bool) -> Handle
    {
        var reservation = self.reservation(
            valueLength: value.count, marks: marks(request.clientFlags), existing: existing)
        reservation.append(value)
        reservation.close()
        // Not looked up afterwards: the key may have stood in the item that is replaced.
        let chunk = reservation.head
        let outcome = link(&reservation, replacing: existing, stale: stale)
        return outcome.status == .stored ? chunk : 0
    }

    private func reservation(valueLength: Int, marks: UInt32, existing: Handle) -> Reservation {
        let known =
            existing != 0
            ? core.pointee.arena.item(existing).access & Item.probation == 0 : core.pointee.hasGhost(hash)
        return Reservation(
            client: client, key: key, hash: hash, valueLength: valueLength, marks: marks, onProbation: !known)
    }

    private func link(_ reservation: inout Reservation, replacing existing: Handle, stale: Bool)
        -> WriteOutcome
    {
        guard !reservation.hasFailed, reservation.head != 0 else {
            if request.mode == .set, existing != 0, let slot = core.pointee.slot(of: existing, hash: hash) {
                core.pointee.unlink(existing, slot, hash: hash, counters: client.counters)
            }
            return WriteOutcome(.outOfMemory)
        }
        let marks = reservation.marks
        let isLong = marks & Item.chained != 0
        let valueLength = reservation.valueLength
        let shape = Item.shape(keyLength: key.count, valueLength: isLong ? 0 : valueLength, marks: marks)
        let handle = reservation.handOver()
        let item = core.pointee.arena.item(handle)
        let bytes = Item.valueOffset(shape) + valueLength + Item.lineEndBytes
        guard enter(handle, item, shape, bytes: bytes, replacing: existing, stale: stale) else {
            return WriteOutcome(.outOfMemory)
        }
        if !stale { core.pointee.setExptime(exptime, of: item, handle, now: now) }
        return stored(handle, valueLength: valueLength)
    }

    /// append and prepend: flags and exptime stay the item's own.
    private func combine(_ existing: Handle, with addition: ChainReader, valueLength: Int) -> WriteOutcome {
        let item = core.pointee.arena.item(existing)
        let shape = item.shape
        let oldLength = item.valueLength(shape)
        guard client.fits(keyLength: key.count, valueLength: oldLength + valueLength) else {
            return WriteOutcome(.tooLarge)
        }
        var kept = request
        kept.mode = .set
        kept.clientFlags = item.clientFlags(shape)
        kept.exptime = item.exptime
        let writer = Writer(client: client, key: key, place: place, request: kept, now: now)
        var built = reservation(
            valueLength: oldLength + valueLength, marks: writer.marks(kept.clientFlags), existing: existing)
        if request.mode == .prepend { built.append(addition) }
        var left = oldLength
        var reader = ChainReader(core, head: existing)
        while left > 0, let run = reader.next() {
            let n = min(left, run.count)
            built.append(UnsafeRawBufferPointer(rebasing: run[0..<n]))
            left -= n
        }
        if request.mode == .append { built.append(addition) }
        built.close()
        if built.hasFailed { return WriteOutcome(.outOfMemory) }
        var outcome = writer.link(&built, replacing: existing, stale: false)
        outcome.valueLength = oldLength + valueLength
        return outcome
    }

    // MARK: max_items

    /// With `-o max_items`: the item that is one too many makes another go.
    @inline(__always)
    private func trim(keeping outcome: WriteOutcome) {
        if core.pointee.options.maxItems != nil, outcome.status == .stored {
            core.pointee.trimToMaxItems(
                key, hash: hash, outcome.slabClass, now: now, counters: client.counters)
        }
    }
}

extension Core {
    /// The cas of an item: its sequence number with its stripe's index beside it, or what a client chose.
    @inline(__always)
    func cas(of item: Item, _ shape: UInt32, _ stripe: Int) -> UInt64 {
        guard options.usesCAS else { return 0 }
        if shape & Item.hasCAS != 0 { return item.chosenCAS(shape) }
        return UInt64(item.sequence) << UInt64(Stripe.bits) | UInt64(stripe)
    }

    /// A new sequence number, and with it a new cas. The number is kept with -C, too: flush_all goes by it.
    @inline(__always)
    func assignCAS(_ item: Item, _ shape: UInt32, _ stripeIndex: Int, _ chosen: UInt64?) {
        let sequence = stripe(stripeIndex).nextSequence()
        item.sequence = sequence
        if shape & Item.hasCAS != 0 {
            item.setChosenCAS(
                chosen ?? (UInt64(sequence) << UInt64(Stripe.bits) | UInt64(stripeIndex)), shape)
        }
    }

    /// Sets the exptime of a linked item, and tells its page. Caller holds the stripe's lock and no class
    /// lock.
    @inline(__always)
    func setExptime(_ exptime: Moment, of item: Item, _ handle: Handle, now: Moment) {
        item.exptime = exptime
        guard exptime != .never else { return }
        let c = slabClass(arena.slabClass(of: handle))
        bias.lock(c.lock)
        noteExpiry(exptime, arena.pages + arena.page(of: handle), c, now: now)
        c.lock.unlock()
    }

    /// Evicts until `max_items` holds again, in the class of the item just stored if it has another.
    @inline(never)
    func trimToMaxItems(
        _ key: UnsafeRawBufferPointer, hash: UInt64, _ id: UInt8, now: Moment, counters: CounterBlock
    ) {
        guard let most = options.maxItems else { return }
        var tries = 0
        while shared.itemCount.pointee.load(ordering: .relaxed) > most, tries < 4 * table.sizes.count {
            let victimClass = 1 + (Int(id) - 1 + tries / 4) % (table.sizes.count - 1)
            tries += 1
            let stripe = stripe(Self.stripeIndex(hash))
            let keep = lockAndLookUp(key.baseAddress!, key.count, at: place(hash))
            var orphans = Orphans()
            let c = slabClass(UInt8(victimClass))
            c.lock.lock()
            _ = evictSome(
                c, held: Held(stripe: Self.stripeIndex(hash), pinned: keep), now: now, counters: counters,
                orphans: &orphans, limit: 1)
            c.lock.unlock()
            freeOrphans(orphans)
            stripe.lock.unlock()
        }
    }
}
