// What one daemon said about itself at one moment: the counters of `stats`, its slab classes, its clients.

struct Sample: Sendable {
    /// Seconds of a clock that only goes forward.
    var time: Double
    var general: [String: String] = [:]
    var classes: [ClassSample] = []
    /// Nil when nobody asked.
    var clients: [ClientSample]?
    var clientsLeftOut = 0

    /// A counter or gauge; nil when the daemon has none of that name or its value is no number.
    func number(_ name: String) -> Double? { general[name].flatMap(Sample.number) }

    /// Finite and not negative: the only numbers `stats` has.
    static func number(_ text: String) -> Double? {
        guard text.utf8.count <= 32, let value = Double(text), value.isFinite, value >= 0 else {
            return nil
        }
        return value
    }

    mutating func takeGeneral(_ answer: Answer) {
        for row in answer.rows.prefix(2000) { general[row.name] = row.value }
    }

    /// `1:chunk_size 96` of `stats slabs` and `items:1:number 5` of `stats items`: one class, two answers.
    mutating func takeClasses(slabs: Answer, items: Answer) {
        var found: [Int: ClassSample] = [:]
        for row in slabs.rows + items.rows {
            var words = row.name.split(separator: ":", omittingEmptySubsequences: false)
            if words.first == "items" { words.removeFirst() }
            guard words.count == 2, let number = Int(words[0]), 0...1023 ~= number,
                let value = Sample.number(row.value)
            else { continue }
            found[number, default: ClassSample(number: number)].values[String(words[1])] = value
        }
        classes = found.values.sorted { $0.number < $1.number }
    }

    /// `27:addr tcp:127.0.0.1:5000` and its fellows of `stats conns`.
    mutating func takeClients(_ answer: Answer) {
        var found: [ClientSample] = []
        var places: [Int: Int] = [:]
        for row in answer.rows {
            let words = row.name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard words.count == 2, let descriptor = Int(words[0]), descriptor >= 0 else { continue }
            let place = places[descriptor] ?? found.count
            if place == found.count {
                found.append(ClientSample(descriptor: descriptor))
                places[descriptor] = place
            }
            switch words[1] {
            case "addr": found[place].address = row.value
            case "listen_addr": found[place].listener = row.value
            case "state": found[place].state = row.value
            case "resps_waiting": found[place].answersWaiting = Sample.number(row.value)
            case "secs_since_last_cmd": found[place].idle = Sample.number(row.value)
            default: break
            }
        }
        clients = found
        clientsLeftOut = answer.rowsLeftOut / 4
    }
}

struct ClassSample: Sendable {
    let number: Int
    var values: [String: Double] = [:]

    subscript(_ name: String) -> Double? { values[name] }

    /// Bytes of the pages it holds.
    var memory: Double {
        (self["chunk_size"] ?? 0) * (self["chunks_per_page"] ?? 0) * (self["total_pages"] ?? 0)
    }
    /// The share of its chunks that hold something.
    var filled: Double? {
        guard let used = self["used_chunks"], let total = self["total_chunks"], total > 0 else {
            return nil
        }
        return used / total
    }
    /// The share of its used chunks' bytes that no item asked for.
    var slack: Double? {
        guard let asked = self["mem_requested"], let used = self["used_chunks"],
            let size = self["chunk_size"],
            used * size > 0
        else { return nil }
        return max(0, 1 - asked / (used * size))
    }
}

struct ClientSample: Sendable {
    let descriptor: Int
    var address = ""
    var listener = ""
    var state = ""
    var answersWaiting: Double?
    /// Seconds since its last command.
    var idle: Double?

    var isListener: Bool { state == "conn_listening" }
}
