// `watch`: the lines events become, and the rings they travel in.
import LarderStore
import Testing

@testable import LarderProtocol

private func line(_ record: EventRecord, _ payload: String) -> String {
    var out = [UInt8]()
    EventLine.append(record, payload: Array(payload.utf8), to: &out)
    return String(decoding: out, as: UTF8.self)
}

/// Offers the record to a ring and prints what comes out.
private func roundTrip(_ record: EventRecord, _ payload: String) throws -> String {
    let ring = try #require(EventRing(capacity: 4096, log: EventLog()))
    let wasTaken = ring.offer(record, payload: Array(payload.utf8).span)
    #expect(wasTaken)
    var bytes = [UInt8]()
    let taken = try #require(ring.take(&bytes))
    var out = [UInt8]()
    EventLine.append(taken, payload: bytes, to: &out)
    return String(decoding: out, as: UTF8.self)
}

/// The part of a line after time and number.
private func tail(_ line: String) -> String {
    guard let range = line.firstRange(of: " type=") else { return "(no type) " + line }
    return String(line[range.lowerBound...].dropFirst())
}

@Suite struct EventTests {
    @Test func stampIsADecimalFraction() throws {
        let line = try roundTrip(EventLine.itemGet.record(descriptor: 28), "foo")
        let stamp = try #require(line.firstMatch(of: /^ts=(\d+)\.(\d+) gid=(\d+) type=/))
        #expect(stamp.2.count == 6)
        #expect(stamp.3 == "1")
    }

    @Test func fetch() throws {
        var record = EventLine.itemGet.record(descriptor: 28)
        #expect(
            tail(try roundTrip(record, "foo"))
                == "type=item_get key=foo status=not_found clsid=0 cfd=28 size=0\n")
        record.status = FetchStatus.found.rawValue
        record.slabClass = 3
        record.size = 4
        #expect(
            tail(try roundTrip(record, "v foo#é"))
                == "type=item_get key=v%20foo%23%C3%A9 status=found clsid=3 cfd=28 size=4\n")
    }

    @Test func store() throws {
        var record = EventLine.itemStore.record(descriptor: 9)
        record.status = WriteOutcome.Status.stored.rawValue
        record.command = StoreCommand.cas.rawValue
        record.ttl = 100
        record.slabClass = 1
        record.size = 3
        #expect(
            tail(try roundTrip(record, "k"))
                == "type=item_store key=k status=stored cmd=cas ttl=100 clsid=1 cfd=9 size=3\n")
        record.status = WriteOutcome.Status.outOfMemory.rawValue
        #expect(tail(line(record, "k")).contains("status=no_memory"))
    }

    @Test func evictionThroughTheStoresLog() throws {
        let log = EventLog()
        let ring = try #require(EventRing(capacity: 4096, log: log))
        let evictions = EvictionLog(ring: ring, numbers: EventLine.storeNumbers)
        #expect(!evictions.isWanted)
        log.setMask(EventKind.evictions.rawValue, in: EventKind.watchable.rawValue)
        #expect(evictions.isWanted)
        let key = Array("bar".utf8)
        evictions.record(
            key: key.span, fetched: true, exptime: .never, lastAccess: Moment(90), now: Moment(100),
            slabClass: 5, valueLength: 11)
        var bytes = [UInt8]()
        let record = try #require(ring.take(&bytes))
        #expect(
            tail(line(record, "bar")) == "type=eviction key=bar fetch=yes ttl=-1 la=10 clsid=5 size=11\n")
        #expect(bytes == key)
    }

    @Test func pageMoveThroughTheStoresLog() throws {
        let log = EventLog()
        let ring = try #require(EventRing(capacity: 4096, log: log))
        let moves = EvictionLog(ring: ring, numbers: EventLine.storeNumbers)
        moves.recordMove(from: 3, to: 9, succeeded: true)
        log.setMask(EventKind.sysevents.rawValue, in: EventKind.watchable.rawValue)
        moves.recordMove(from: 3, to: 0, succeeded: false)
        var bytes = [UInt8]()
        let record = try #require(ring.take(&bytes))
        #expect(tail(line(record, "")) == "type=slab_move src=3 dst=0 state=fail\n")
        let next = ring.take(&bytes)
        #expect(next == nil)
    }

    @Test func searchThroughTheStoresLog() throws {
        let log = EventLog()
        let ring = try #require(EventRing(capacity: 4096, log: log))
        let searches = EvictionLog(ring: ring, numbers: EventLine.storeNumbers)
        log.setMask(EventKind.sysevents.rawValue, in: EventKind.watchable.rawValue)
        searches.recordSearch(slabClass: 7, examined: 1000, reclaimed: 12, seconds: 2, next: -1)
        var bytes = [UInt8]()
        let record = try #require(ring.take(&bytes))
        #expect(
            tail(line(record, "")) == "type=lru_crawler crawler=7 lru=na low_mark=0 next_reclaims=0"
                + " since_run=0 next_run=-1 elapsed=2 examined=1000 reclaimed=12\n")
    }

    @Test func deletion() throws {
        var record = EventLine.deleted.record()
        record.command = DeleteCommand.md.rawValue
        record.slabClass = 2
        record.size = 4
        #expect(tail(try roundTrip(record, "vfoo")) == "type=deleted key=vfoo cmd=md clsid=2 size=4\n")
    }

    @Test func connections() throws {
        #expect(
            tail(
                try roundTrip(
                    EventLine.connectionNew.record(descriptor: 30), "rip=127.0.0.1 rport=4711 transport=tcp"))
                == "type=conn_new rip=127.0.0.1 rport=4711 transport=tcp cfd=30\n")
        #expect(
            tail(
                try roundTrip(
                    EventLine.connectionClose.record(descriptor: 30),
                    "rip=unix rport=0 transport=local reason=normal"))
                == "type=conn_close rip=unix rport=0 transport=local reason=normal cfd=30\n")
    }

    @Test func textAndCommand() throws {
        #expect(
            tail(try roundTrip(EventLine.text.record(), "type=slab_move src=1 dst=2 state=ok"))
                == "type=slab_move src=1 dst=2 state=ok\n")
        let command = try roundTrip(EventLine.command.record(descriptor: 8), "get a\u{1B}[2J")
        #expect(command.hasSuffix(" <8 get a?[2J\n"))
    }

    @Test func longestKeyFits() throws {
        let line = try roundTrip(EventLine.itemStore.record(), String(repeating: "#", count: 250))
        #expect(line.contains("key=" + String(repeating: "%23", count: 250) + " "))
    }
}

@Suite struct EventRingTests {
    @Test func keepsOrderAcrossTheWrap() throws {
        let ring = try #require(EventRing(capacity: 4096, log: EventLog()))
        var bytes = [UInt8]()
        var next = 0
        for i in 0..<2000 {
            let payload = Array("\(i)-".utf8) + [UInt8](repeating: UInt8(i & 127), count: i % 301)
            var record = EventLine.text.record()
            record.size = UInt64(i)
            let wasTaken = ring.offer(record, payload: payload.span)
            #expect(wasTaken)
            if i % 3 == 2 {
                while let taken = ring.take(&bytes) {
                    #expect(taken.size == UInt64(next))
                    #expect(taken.sequence == UInt64(next + 1))
                    #expect(
                        bytes == Array("\(next)-".utf8)
                            + [UInt8](repeating: UInt8(next & 127), count: next % 301))
                    next += 1
                }
            }
        }
        #expect(ring.writtenCount == 2000 && ring.droppedCount == 0)
    }

    @Test func dropsTheNewestWhenFull() throws {
        let ring = try #require(EventRing(capacity: 4096, log: EventLog()))
        let payload = [UInt8](repeating: 0x41, count: 250)
        var accepted = 0
        for _ in 0..<100 where ring.offer(EventLine.text.record(), payload: payload.span) { accepted += 1 }
        #expect(accepted > 5 && accepted < 20)
        #expect(ring.droppedCount == UInt64(100 - accepted))
        var bytes = [UInt8]()
        #expect(ring.take(&bytes) != nil)
        let wasTaken = ring.offer(EventLine.text.record(), payload: payload.span)
        #expect(wasTaken)
    }

    @Test func longPayloadsAreCut() throws {
        let ring = try #require(EventRing(capacity: 4096, log: EventLog()))
        ring.offer(EventLine.command.record(), payload: [UInt8](repeating: 0x41, count: 3000).span)
        var bytes = [UInt8]()
        #expect(ring.take(&bytes) != nil)
        #expect(bytes.count == EventRing.payloadMax)
    }

    @Test func maskFieldsAreIndependent() {
        let log = EventLog()
        log.setMask(EventKind.detail.rawValue, in: EventKind.detail.rawValue)
        log.setMask(EventKind.fetchers.rawValue, in: EventKind.watchable.rawValue)
        #expect(log.mask == EventKind.detail.rawValue | EventKind.fetchers.rawValue)
        log.setMask(0, in: EventKind.watchable.rawValue)
        #expect(log.mask == EventKind.detail.rawValue)
    }
}
