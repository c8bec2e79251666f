// The screen as a pure function: a model and a size become lines. Line one says what is watched and when,
// line two the views, the last one the keys; between them stands the view.

enum Screen {
    /// `height` nil: as many lines as there is to say, without the lines that only serve keys.
    static func render(_ model: TopModel, width: Int, height: Int?) -> [Line] {
        let width = max(1, width)
        guard let height else {
            let body = self.body(model, width, nil)
            return [title(model, width)] + body.map { $0.cut(width) }
        }
        guard height > 4 else { return [title(model, width)].prefix(max(0, height)).map { $0 } }
        let room = height - 3
        var lines = [title(model, width), tabs(model, width)]
        let body = model.showsHelp ? help : self.body(model, width, room)
        lines += body.prefix(room).map { $0.cut(width) }
        while lines.count < height - 1 { lines.append(Line()) }
        lines.append(foot(model, width))
        return lines
    }

    private static func body(_ model: TopModel, _ width: Int, _ height: Int?) -> [Line] {
        switch model.view {
        case .daemons: DaemonsView.lines(model, width, height)
        case .classes: ClassesView.lines(model, width, height)
        case .clients: ClientsView.lines(model, width, height)
        }
    }

    /// How many rows can be scrolled.
    static func rowCount(_ model: TopModel) -> Int {
        switch model.view {
        case .daemons: model.readings.count
        case .classes: model.reading.latest?.classes.count ?? 0
        case .clients: ClientsView.clients(model).count
        }
    }

    static func sortableTitles(_ view: View) -> [String] {
        switch view {
        case .daemons: DaemonsView.table.sortable.map(\.title)
        case .classes: ClassesView.table.sortable.map(\.title)
        case .clients: ClientsView.table.sortable.map(\.title)
        }
    }

    // MARK: The frame

    private static func title(_ model: TopModel, _ width: Int) -> Line {
        let all = model.readings.count
        let down = model.readings.filter { if case .down = $0.condition { true } else { false } }.count
        var state = all == 1 ? model.readings[0].name : "\(all) daemons"
        if down > 0 { state += all == 1 ? " is down" : ", \(down) down" }
        let end = model.clock + (model.isPaused ? "  paused" : "  every \(Figures.seconds(model.delay)) s")
        var line = Line("larder top  ", [.reverse, .bold])
        line.append(
            state.fitted(max(0, width - line.width - end.count - 2)),
            down > 0 ? [.reverse, .alarm] : .reverse)
        line.append(String(repeating: " ", count: max(0, width - line.width - end.count)), .reverse)
        line.append(end, .reverse)
        return line.padded(width, .reverse)
    }

    private static func tabs(_ model: TopModel, _ width: Int) -> Line {
        var line = Line()
        for view in View.allCases {
            line.append(
                " \(view.title) ", view == model.view && !model.showsHelp ? [.reverse, .bold] : .dim)
            line.append(" ")
        }
        if model.view != .daemons, model.readings.count > 1 {
            line.append("  \(model.reading.name)", .bold)
        }
        return line.cut(width)
    }

    private static func foot(_ model: TopModel, _ width: Int) -> Line {
        if let typed = model.typed {
            return Line("seconds between two looks (now \(Figures.seconds(model.delay))): \(typed)_", .bold)
                .cut(width)
        }
        if model.showsHelp { return Line("any key goes back", .dim).cut(width) }
        let words = [
            "q quit", "h help", "Tab view", model.readings.count > 1 ? "n next daemon" : "",
            model.view == .daemons ? "" : "up/down scroll", "s sort", "r reverse", "d delay", "space stop",
        ]
        var line = Line()
        for word in words where !word.isEmpty {
            if line.width + word.count + 2 > width { break }
            line.append(word + "  ", .dim)
        }
        return line
    }

    private static let help: [Line] = [
        Line(),
        Line("left right Tab 1 2 3   another view", .bold),
        Line("up down                choose a daemon, or scroll"),
        Line("n N                    next and previous daemon, in any view"),
        Line("Enter                  the classes of the chosen daemon"),
        Line("s r                    sort by the next column; the other way round"),
        Line("d                      another delay between two looks"),
        Line("space                  stop, and go on"),
        Line("q                      quit"),
        Line(),
        Line("/s      per second, since the last look"),
        Line("HIT%    hits of all reads since the last look"),
        Line("FULL%   bytes of items, of the memory limit"),
        Line("SLACK%  bytes of used chunks that no item asked for"),
        Line("AGE     how long the item that goes next was not used"),
        Line("IDLE    since the client's last command"),
    ]

    /// A window on `rows` that begins at `scroll`.
    static func window(_ rows: [Line], _ scroll: Int, _ room: Int?) -> [Line] {
        guard let room else { return rows }
        guard rows.count > room, room > 0 else { return Array(rows.prefix(max(0, room))) }
        let start = min(max(0, scroll), rows.count - room)
        return Array(rows[start..<start + room])
    }

    /// Why there is nothing to show of this daemon.
    static func absence(_ reading: Reading) -> Line? {
        switch reading.condition {
        case .waiting: Line("\(reading.name): waiting for an answer", .dim)
        case .down(let reason): Line("\(reading.name) is down: \(reason)", .alarm)
        case .up: reading.latest == nil ? Line("\(reading.name): waiting for an answer", .dim) : nil
        }
    }
}
