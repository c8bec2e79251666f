// Everything the screen shows, as a value: rendering it is a pure function, and keys only change it.

enum View: Int, CaseIterable, Sendable {
    case daemons, classes, clients

    var title: String {
        switch self {
        case .daemons: "Daemons"
        case .classes: "Classes"
        case .clients: "Clients"
        }
    }
}

struct TopModel: Sendable {
    var readings: [Reading]
    var view = View.daemons
    /// The daemon whose classes, clients and details are shown.
    var selected = 0
    /// Rows of the view that are above the window.
    var scroll = 0
    var sortings: [View: Sorting] = [
        .classes: Sorting(column: 3), .clients: Sorting(column: 1, isReversed: true),
    ]
    var delay = 1.0
    /// The time of day.
    var clock = ""
    /// What is being typed for a new delay.
    var typed: String?
    var isPaused = false
    var showsHelp = false
    /// Whether the terminal shows more than ASCII.
    var isUnicode = true

    init(names: [String]) { readings = names.map { Reading(name: $0) } }

    var reading: Reading { readings[min(max(0, selected), readings.count - 1)] }

    var sorting: Sorting {
        get { sortings[view] ?? Sorting() }
        set { sortings[view] = newValue }
    }

    /// What a key asks for that isn't a change of the model.
    enum Effect: Equatable { case none, quit, askNow, newDelay }

    mutating func press(_ key: Key) -> Effect {
        if typed != nil { return type(key) }
        if showsHelp {
            showsHelp = false
            return key == .letter("q") ? .quit : .none
        }
        switch key {
        case .letter("q"): return .quit
        case .letter("h"), .letter("?"): showsHelp = true
        case .letter("d"): typed = ""
        case .letter(" "): isPaused.toggle()
        case .letter("s"): sortByNext()
        case .letter("r"): sorting.isReversed.toggle()
        case .letter("n"): return choose(selected + 1)
        case .letter("N"): return choose(selected - 1)
        case .letter("1"), .letter("2"), .letter("3"):
            if case .letter(let digit) = key, let number = digit.wholeNumberValue {
                return show(number - 1)
            }
        case .right, .tab: return show(view.rawValue + 1)
        case .left, .backTab: return show(view.rawValue - 1)
        case .enter where view == .daemons: return show(1)
        case .up: return move(-1)
        case .down: return move(1)
        case .pageUp: return move(-10)
        case .pageDown: return move(10)
        case .home: return move(-1_000_000)
        case .end: return move(1_000_000)
        default: break
        }
        return .none
    }

    private mutating func show(_ number: Int) -> Effect {
        let all = View.allCases
        view = all[(number + all.count) % all.count]
        scroll = 0
        return .askNow
    }

    private mutating func choose(_ number: Int) -> Effect {
        let wanted = (number + readings.count) % readings.count
        if wanted == selected { return .none }
        selected = wanted
        if view != .daemons { scroll = 0 }
        return .askNow
    }

    private mutating func move(_ step: Int) -> Effect {
        if view == .daemons {
            let wanted = min(max(0, selected + step), readings.count - 1)
            return wanted == selected ? .none : choose(wanted)
        }
        scroll = min(max(0, scroll + step), max(0, Screen.rowCount(self) - 1))
        return .none
    }

    private mutating func sortByNext() {
        let count = Screen.sortableTitles(view).count
        let next = (sorting.column ?? -1) + 1
        sorting = Sorting(column: next < count ? next : (view == .daemons ? nil : 0))
    }

    /// False when the view has no such column to sort by.
    mutating func sort(by title: String) -> Bool {
        let wanted = title.lowercased()
        guard let place = Screen.sortableTitles(view).firstIndex(where: { $0.lowercased() == wanted })
        else { return false }
        sorting = Sorting(column: place)
        return true
    }

    private mutating func type(_ key: Key) -> Effect {
        guard let text = typed else { return .none }
        switch key {
        case .letter(let character) where character.isNumber || character == ".":
            if text.count < 8 { typed = text + String(character) }
        case .backspace: typed = String(text.dropLast())
        case .enter:
            typed = nil
            if let delay = TopOptions.delay(text) {
                self.delay = delay
                return .newDelay
            }
        case .escape, .letter: typed = nil
        default: break
        }
        return .none
    }
}
