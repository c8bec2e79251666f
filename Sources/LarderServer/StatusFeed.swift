// `/status.json`: what the status page asks for every second. Totals and classes as they are now, and the
// seconds of the history that the page does not have yet. No client's name and no key is in it.
import LarderProtocol
import LarderStore

enum StatusFeed {
    static func render(
        _ facts: StatsFacts, _ seconds: [StatusHistory.Second], newest: UInt64, health: [String],
        states: [(name: String, count: Int)], unixMilliseconds: UInt64
    ) -> [UInt8] {
        var json = JSONText()
        json.object { json in
            json.member("time", unixMilliseconds)
            json.member("newest", newest)
            json.member("health") { $0.list(health) { $0.text($1) } }
            json.member("server") { $0.object { server(&$0, facts) } }
            json.member("totals") { $0.object { totals(&$0, facts) } }
            json.member("states") { json in
                json.object { json in for state in states { json.member(state.name, UInt64(state.count)) } }
            }
            json.member("classes") { json in
                json.list(facts.store.classes) { json, one in json.object { slabClass(&$0, one) } }
            }
            json.member("columns") { $0.list(StatusColumn.all) { $0.text($1.name) } }
            json.member("seconds") { json in
                json.list(seconds) { json, second in
                    json.list([second.number, second.time] + second.values) { $0.number($1) }
                }
            }
        }
        return json.bytes
    }

    private static func server(_ json: inout JSONText, _ facts: StatsFacts) {
        let server = facts.server
        json.member("larder") { $0.text(server.larderVersion) }
        json.member("version") { $0.text(server.version) }
        json.member("pid", UInt64(server.pid))
        json.member("start", server.startUnixTime)
        json.member("uptime", server.uptimeSeconds)
        json.member("threads", UInt64(server.threads))
        json.member("maxConnections", UInt64(server.maxConnections))
        json.member("resident", server.residentBytes)
    }

    private static func totals(_ json: inout JSONText, _ facts: StatsFacts) {
        let store = facts.store
        json.member("limit", UInt64(store.memoryLimit))
        json.member("pageSize", UInt64(store.pageSize))
        json.member("pages", UInt64(store.pagesTotal))
        json.member("pagesFree", UInt64(store.pagesFree))
        json.member("pagesIndex", UInt64(store.indexPages))
        json.member("pageMoves", store.pagesMoved)
        json.member("ghostHits", store.ghostHits)
        json.member("items", store.curItems)
        json.member("bytes", store.bytes)
        json.member("hits", store.sum(.getHits))
        json.member("misses", store.count(.getMisses))
        json.member("evictions", store.count(.evictions))
        json.member("connections", UInt64(max(0, facts.server.currentConnections)))
        json.member("accepted", facts.server.totalConnections)
        json.member("refused", facts.server.rejectedConnections)
    }

    private static func slabClass(_ json: inout JSONText, _ one: StoreSnapshot.SlabClassFigures) {
        json.member("id", UInt64(one.id))
        json.member("chunk", UInt64(one.chunkSize))
        json.member("perPage", UInt64(one.chunksPerPage))
        json.member("pages", UInt64(one.pages))
        json.member("used", UInt64(max(0, one.usedChunks)))
        json.member("free", UInt64(max(0, one.freeChunks)))
        json.member("bytes", UInt64(max(0, one.bytesRequested)))
        json.member("age", UInt64(one.ageSeconds))
        json.member("evicted", one.count(.evicted))
    }
}

/// JSON written from left to right.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    /// Whether a comma is due before the next value.
    private var isBehindValue = false

    mutating func number(_ value: UInt64?) {
        separate()
        bytes.append(contentsOf: (value.map { String($0) } ?? "null").utf8)
    }

    mutating func text(_ value: String) {
        separate()
        quote(value)
    }

    mutating func object(_ body: (inout JSONText) -> Void) { enclose(0x7B, 0x7D, body) }

    mutating func list<Element>(
        _ elements: some Sequence<Element>, _ each: (inout JSONText, Element) -> Void
    ) {
        enclose(0x5B, 0x5D) { json in for element in elements { each(&json, element) } }
    }

    mutating func member(_ name: String, _ value: UInt64?) { member(name) { $0.number(value) } }

    mutating func member(_ name: String, _ body: (inout JSONText) -> Void) {
        separate()
        quote(name)
        bytes.append(0x3A)
        isBehindValue = false
        body(&self)
    }

    private mutating func enclose(_ opening: UInt8, _ closing: UInt8, _ body: (inout JSONText) -> Void) {
        separate()
        bytes.append(opening)
        isBehindValue = false
        body(&self)
        bytes.append(closing)
        isBehindValue = true
    }

    private mutating func separate() {
        if isBehindValue { bytes.append(0x2C) }
        isBehindValue = true
    }

    private mutating func quote(_ value: String) {
        bytes.append(0x22)
        for byte in value.utf8 {
            switch byte {
            case 0x22, 0x5C: bytes += [0x5C, byte]
            case 0..<0x20:
                let digits = Array("0123456789abcdef".utf8)
                bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(0x22)
    }
}
