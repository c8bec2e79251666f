// Who is connected to one daemon, by their last command: the one that spoke last stands first.

enum ClientsView {
    static var table: Table<ClientSample> { Table(columns: columns) }

    private static var columns: [Column<ClientSample>] {
        [
            Column("CLIENT", 21, rank: 0, isLeft: true, order: .text(\.address)) { $0.address },
            Column("IDLE", 6, rank: 1, order: .number(\.idle)) { Figures.duration($0.idle) },
            Column("STATE", 16, rank: 2, isLeft: true, order: .text(\.state)) { state($0) },
            Column("WAITING", 7, rank: 4, order: .number(\.answersWaiting)) {
                Figures.count($0.answersWaiting)
            },
            Column("FD", 5, rank: 5, order: .number { Double($0.descriptor) }) { "\($0.descriptor)" },
            Column("VIA", 21, rank: 3, isLeft: true, order: .text(\.listener)) { $0.listener },
        ]
    }

    /// Without the word that all states begin with.
    private static func state(_ client: ClientSample) -> String {
        client.state.hasPrefix("conn_") ? String(client.state.dropFirst(5)) : client.state
    }

    static func clients(_ model: TopModel) -> [ClientSample] {
        (model.reading.latest?.clients ?? []).filter { !$0.isListener }
    }

    static func lines(_ model: TopModel, _ width: Int, _ height: Int?) -> [Line] {
        let reading = model.reading
        if let absence = Screen.absence(reading) { return [Line(), absence] }
        guard let all = reading.latest?.clients else {
            return [Line(), Line("\(reading.name): waiting for an answer", .dim)]
        }
        let clients = clients(model)
        let longest = clients.map(\.address.count).max() ?? 0
        let kept = table.fitting(width, longest: min(longest, 48))
        let rows = table.sorted(clients, model.sorting).map { client in
            table.line(client, kept, (client.idle ?? 0) < 1 ? .bold : [])
        }
        return [table.head(kept, model.sorting)]
            + Screen.window(rows, model.scroll, height.map { $0 - 2 })
            + [summary(reading, all, clients)]
    }

    private static func summary(
        _ reading: Reading, _ all: [ClientSample], _ clients: [ClientSample]
    ) -> Line {
        let recent = clients.filter { ($0.idle ?? .infinity) < 2 }.count
        let silent = clients.filter { ($0.idle ?? 0) >= 60 }.count
        var text = " \(clients.count) clients, \(recent) spoke just now, \(silent) silent for a minute"
        if let left = reading.latest?.clientsLeftOut, left > 0 { text += ", \(left) more not shown" }
        let listeners = all.filter(\.isListener).map(\.address)
        if !listeners.isEmpty { text += "; listening: " + listeners.joined(separator: ", ") }
        return Line(text, .dim)
    }
}
