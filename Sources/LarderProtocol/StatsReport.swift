// Figures as `STAT <name> <value>` lines, ended by END. The tables say what there is to print; this prints
// it.
import LarderStore

enum StatsReport {
    static func appendLine(_ name: String, _ value: String, to reply: inout ReplyBuffer) {
        reply.append("STAT ")
        reply.append(name)
        reply.append(byte: 0x20)
        reply.append(value)
        reply.append("\r\n")
    }

    static func appendEnd(to reply: inout ReplyBuffer) { reply.append("END\r\n") }

    static func append(_ rows: [StatRow<StatsFacts>], of facts: StatsFacts, to reply: inout ReplyBuffer) {
        for row in rows where row.isShown(facts) { appendLine(row.name, row.value(facts).text, to: &reply) }
        appendEnd(to: &reply)
    }

    /// `stats items`: classes without items are left out.
    static func appendItems(of facts: StatsFacts, to reply: inout ReplyBuffer) {
        for figures in facts.store.classes where figures.items > 0 {
            let source = ClassFacts(figures: figures, options: facts.options)
            for row in ClassStats.itemRows where row.isShown(source) {
                appendLine("items:\(figures.id):\(row.name)", row.value(source).text, to: &reply)
            }
        }
        appendEnd(to: &reply)
    }

    /// `stats slabs`: classes without pages are left out; `total_malloced` is the memory of all classes'
    /// pages.
    static func appendSlabs(of facts: StatsFacts, to reply: inout ReplyBuffer) {
        var active = 0
        var pages = 0
        for figures in facts.store.classes where figures.pages > 0 {
            let source = ClassFacts(figures: figures, options: facts.options)
            for row in ClassStats.slabRows where row.isShown(source) {
                appendLine("\(figures.id):\(row.name)", row.value(source).text, to: &reply)
            }
            active += 1
            pages += figures.pages
        }
        appendLine("active_slabs", String(active), to: &reply)
        appendLine("total_malloced", String(pages * facts.store.pageSize), to: &reply)
        appendEnd(to: &reply)
    }

    /// `stats settings`: the rows as they were at start, those changed since with their present value.
    static func appendSettings(
        _ rows: [(String, String)], changed: [String: String], to reply: inout ReplyBuffer
    ) {
        for (name, value) in rows { appendLine(name, changed[name] ?? value, to: &reply) }
        appendEnd(to: &reply)
    }

    static func appendConnections(_ rows: [ConnectionRow], to reply: inout ReplyBuffer) {
        for row in rows {
            // An idle UDP socket is nobody's connection: memcached marks it so.
            if row.address.hasPrefix("udp") { appendLine("\(row.descriptor):UDP", "UDP", to: &reply) }
            appendLine("\(row.descriptor):addr", row.address, to: &reply)
            if !row.listenAddress.isEmpty {
                appendLine("\(row.descriptor):listen_addr", row.listenAddress, to: &reply)
            }
            appendLine("\(row.descriptor):state", row.state, to: &reply)
            let seconds = String(row.secondsSinceLastCommand)
            appendLine("\(row.descriptor):secs_since_last_cmd", seconds, to: &reply)
        }
        appendEnd(to: &reply)
    }
}
