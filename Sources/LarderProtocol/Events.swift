// What `watch` can show: the kinds a client asks for, and the text line each event becomes. Workers leave
// records (Observing.swift); the journal takes them out of the rings and asks here for the line.
import LarderStore

/// Bits of `Effect.watch` and of the event log's mask.
public struct EventKind: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    public static let fetchers = EventKind(rawValue: 1 << 0)
    public static let mutations = EventKind(rawValue: 1 << 1)
    public static let evictions = EventKind(rawValue: 1 << 2)
    public static let deletions = EventKind(rawValue: 1 << 3)
    public static let connevents = EventKind(rawValue: 1 << 4)
    public static let sysevents = EventKind(rawValue: 1 << 5)
    public static let rawcmds = EventKind(rawValue: 1 << 6)
    /// Kinds of memcached's proxy: may be asked for, never happen here.
    public static let proxyreqs = EventKind(rawValue: 1 << 7)
    public static let proxyevents = EventKind(rawValue: 1 << 8)
    public static let proxyuser = EventKind(rawValue: 1 << 9)
    /// First lines of replies, and what else is for the log alone: `watch` can't ask for it.
    public static let replies = EventKind(rawValue: 1 << 10)
    /// The bits the journal sets for its watchers, and for the log.
    public static let watchable = EventKind(rawValue: 0x7FF)
    /// Not watched but counted: `stats detail` is on.
    static let detail = EventKind(rawValue: 1 << 31)

    static let names: [(String, EventKind)] = [
        ("fetchers", .fetchers), ("mutations", .mutations), ("evictions", .evictions),
        ("deletions", .deletions), ("connevents", .connevents), ("sysevents", .sysevents),
        ("rawcmds", .rawcmds),
        ("proxyreqs", .proxyreqs), ("proxyevents", .proxyevents), ("proxyuser", .proxyuser),
    ]
}

/// The lines `watch` prints; the raw value is `EventRecord.line`.
public enum EventLine: UInt8, Sendable {
    /// Payload: the key. status: `FetchStatus`.
    case itemGet
    /// Payload: the key. status: `WriteOutcome.Status`, command: `StoreCommand`.
    case itemStore
    /// Payload: the key. status: 1 if it was ever fetched.
    case eviction
    /// Payload: the key. command: `DeleteCommand`.
    case deleted
    /// Payload: `rip=<address> rport=<port> transport=<local|tcp|udp>`.
    case connectionNew
    /// Payload: as for `connectionNew`, then ` reason=<error|normal|idle_timeout|shutdown>`.
    case connectionClose
    /// Payload: the command line as it came, without its line end.
    case command
    /// Payload: a reply's first line, without its line end.
    case reply
    /// Payload: what happens to a connection, as the log says it.
    case connectionNote
    /// Payload: the line itself from `type=` on.
    case text
    /// Payload: what went wrong.
    case connectionTLSFault
    /// No payload. slabClass: source, command: target, status: 1 if it succeeded.
    case slabMove
    /// No payload. size: items examined, descriptor: reclaimed, lastAccessSeconds: how long it took, ttl:
    /// until the next search.
    case search

    public var kind: EventKind {
        switch self {
        case .itemGet: .fetchers
        case .itemStore: .mutations
        case .eviction: .evictions
        case .deleted: .deletions
        case .connectionNew, .connectionClose, .connectionTLSFault: .connevents
        case .command: .rawcmds
        case .reply, .connectionNote: .replies
        case .text, .slabMove, .search: .sysevents
        }
    }

    /// How the store numbers what it reports by itself.
    public static let storeNumbers = EvictionLog.Numbers(
        evictionKind: EventKind.evictions.rawValue, evictionLine: EventLine.eviction.rawValue,
        moveKind: EventKind.sysevents.rawValue, moveLine: EventLine.slabMove.rawValue,
        searchLine: EventLine.search.rawValue)

    /// A record of this line, for the producers outside this room.
    public func record(descriptor: Int32 = -1) -> EventRecord {
        var record = EventRecord(kind: kind.rawValue, line: rawValue)
        record.descriptor = descriptor
        return record
    }
}

/// How a look-up ended, as `watch fetchers` spells it.
public enum FetchStatus: UInt8, Sendable {
    case notFound, found, flushed, expired

    public init(_ miss: Miss) {
        switch miss {
        case .notFound: self = .notFound
        case .expired: self = .expired
        case .flushed: self = .flushed
        }
    }
    static let words = ["not_found", "found", "flushed", "expired"]
}

/// The command behind a store, as `watch mutations` spells it.
public enum StoreCommand: UInt8, Sendable {
    case set, add, replace, append, prepend, cas
    static let words = ["set", "add", "replace", "append", "prepend", "cas"]
}

/// Which command deleted an item.
public enum DeleteCommand: UInt8, Sendable {
    case delete, md
    static let words = ["delete", "md"]
}

extension WriteOutcome.Status {
    /// As `watch mutations` spells it.
    var eventWord: String {
        switch self {
        case .stored: "stored"
        case .notStored: "not_stored"
        case .exists: "exists"
        case .notFound: "not_found"
        case .tooLarge: "too_large"
        case .outOfMemory: "no_memory"
        }
    }
}

extension EventLine {
    /// Appends the line of `record`, line end included, to `out`. Seconds and microseconds together read as a
    /// decimal fraction: microseconds always have six digits.
    public static func append(_ record: EventRecord, payload: [UInt8], to out: inout [UInt8]) {
        let micros = String(max(0, record.microseconds))
        let padding = String(repeating: "0", count: max(0, 6 - micros.utf8.count))
        out += "ts=\(record.seconds).\(padding)\(micros) gid=\(record.sequence) ".utf8
        switch EventLine(rawValue: record.line) {
        case .itemGet:
            out += "type=item_get key=".utf8
            URIEncoding.append(payload, to: &out)
            out += (" status=\(word(FetchStatus.words, record.status)) clsid=\(record.slabClass)"
                + " cfd=\(record.descriptor) size=\(record.size)").utf8
        case .itemStore:
            let status = WriteOutcome.Status(rawValue: record.status)?.eventWord ?? "na"
            out += "type=item_store key=".utf8
            URIEncoding.append(payload, to: &out)
            out += (" status=\(status) cmd=\(word(StoreCommand.words, record.command)) ttl=\(record.ttl)"
                + " clsid=\(record.slabClass) cfd=\(record.descriptor) size=\(record.size)").utf8
        case .eviction:
            out += "type=eviction key=".utf8
            URIEncoding.append(payload, to: &out)
            out += (" fetch=\(record.status == 0 ? "no" : "yes") ttl=\(record.ttl)"
                + " la=\(record.lastAccessSeconds) clsid=\(record.slabClass) size=\(record.size)").utf8
        case .deleted:
            out += "type=deleted key=".utf8
            URIEncoding.append(payload, to: &out)
            out += (" cmd=\(word(DeleteCommand.words, record.command)) clsid=\(record.slabClass)"
                + " size=\(record.size)").utf8
        case .connectionNew, .connectionClose:
            let isNew = record.line == EventLine.connectionNew.rawValue
            out += (isNew ? "type=conn_new " : "type=conn_close ").utf8
            out += payload
            out += " cfd=\(record.descriptor)".utf8
        case .connectionTLSFault:
            out += "type=conntlserr fd=\(record.descriptor) msg=".utf8
            out += payload
        case .command, .reply, .connectionNote:
            out += "\(record.line == EventLine.reply.rawValue ? ">" : "<")\(record.descriptor) ".utf8
            // A terminal may be at the other end: nothing but printable bytes and what UTF-8 is made of, its
            // own control characters (C2 80 to C2 9F) left out.
            var previous: UInt8 = 0
            for byte in payload {
                let isControl = byte < 0x20 || byte == 0x7F || previous == 0xC2 && byte &- 0x80 < 0x20
                out.append(isControl ? 0x3F : byte)
                previous = byte
            }
        case .slabMove:
            out += ("type=slab_move src=\(record.slabClass) dst=\(record.command)"
                + " state=\(record.status == 0 ? "fail" : "ok")").utf8
        case .search:
            // Marks and lists of memcached's that have no counterpart here.
            out += ("type=lru_crawler crawler=\(record.slabClass) lru=na low_mark=0 next_reclaims=0"
                + " since_run=0 next_run=\(record.ttl) elapsed=\(record.lastAccessSeconds)"
                + " examined=\(record.size) reclaimed=\(record.descriptor)").utf8
        case .text, nil:
            out += payload
        }
        out.append(0x0A)
    }

    private static func word(_ words: [String], _ index: UInt8) -> String {
        Int(index) < words.count ? words[Int(index)] : "na"
    }
}

/// Keys as watchers and dumps print them: letters, digits and `-._~` stand for themselves, all else is %XX.
enum URIEncoding {
    @inline(__always)
    static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }

    @inline(__always)
    static func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? nibble &+ 0x30 : nibble &+ 0x37 }

    static func append(_ key: [UInt8], to out: inout [UInt8]) {
        for byte in key {
            if isPlain(byte) {
                out.append(byte)
            } else {
                out.append(0x25)
                out.append(hexDigit(byte >> 4))
                out.append(hexDigit(byte & 15))
            }
        }
    }

    static func append(_ key: Span<UInt8>, to reply: inout ReplyBuffer) {
        for i in key.indices {
            let byte = key[i]
            if isPlain(byte) {
                reply.append(byte: byte)
            } else {
                reply.append(byte: 0x25)
                reply.append(byte: hexDigit(byte >> 4))
                reply.append(byte: hexDigit(byte & 15))
            }
        }
    }
}
