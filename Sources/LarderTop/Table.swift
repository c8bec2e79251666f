// A table of figures that fits its columns into any width: the least important go first, and the first column
// takes what is left.

struct Column<Row> {
    enum Order {
        case none
        /// Largest first.
        case number((Row) -> Double?)
        case text((Row) -> String)
    }

    let title: String
    let width: Int
    /// Columns of a high rank are left out first; rank 0 never.
    let rank: Int
    var isLeft = false
    var order = Order.none
    let text: (Row) -> String

    init(
        _ title: String, _ width: Int, rank: Int, isLeft: Bool = false, order: Order = .none,
        text: @escaping (Row) -> String
    ) {
        (self.title, self.width, self.rank, self.isLeft, self.order, self.text) =
            (title, width, rank, isLeft, order, text)
    }

    var isSortable: Bool { if case .none = order { false } else { true } }
}

struct Sorting: Equatable, Sendable {
    /// Among the columns that can be sorted by; nil: as the rows come.
    var column: Int?
    var isReversed = false
}

struct Table<Row> {
    let columns: [Column<Row>]

    var sortable: [Column<Row>] { columns.filter(\.isSortable) }

    /// The columns that fit, in their order. The first is as wide as `longest` wants it, within a third of
    /// the screen before others have to go, and beyond that if they leave room.
    func fitting(_ width: Int, longest: Int) -> [Column<Row>] {
        var kept = columns
        guard let head = kept.first else { return [] }
        let wanted = max(head.width, longest)
        let least = max(head.width, min(wanted, width / 3))
        func need() -> Int { kept.dropFirst().reduce(least) { $0 + 1 + $1.width } }
        while need() > width, let rank = kept.map(\.rank).max(), rank > 0 {
            kept.remove(at: kept.lastIndex { $0.rank == rank }!)
        }
        kept[0] = Column(
            head.title, min(wanted, least + max(0, width - need())), rank: head.rank, isLeft: head.isLeft,
            order: head.order, text: head.text)
        return kept
    }

    func sorted(_ rows: [Row], _ sorting: Sorting) -> [Row] {
        guard let place = sorting.column, sortable.indices.contains(place) else {
            return sorting.isReversed ? rows.reversed() : rows
        }
        let ordered: [Row]
        switch sortable[place].order {
        case .none: ordered = rows
        case .number(let key):
            // Not known is smaller than everything known. The order of equals is kept.
            ordered = stable(rows) { (key($0) ?? -1) > (key($1) ?? -1) }
        case .text(let key): ordered = stable(rows) { key($0) < key($1) }
        }
        return sorting.isReversed ? ordered.reversed() : ordered
    }

    private func stable(_ rows: [Row], _ before: (Row, Row) -> Bool) -> [Row] {
        rows.enumerated().sorted { left, right in
            if before(left.element, right.element) { return true }
            return before(right.element, left.element) ? false : left.offset < right.offset
        }.map(\.element)
    }

    /// The line of titles; the one that is sorted by stands in reverse.
    func head(_ kept: [Column<Row>], _ sorting: Sorting) -> Line {
        let by = sorting.column.flatMap { sortable.indices.contains($0) ? sortable[$0].title : nil }
        var line = Line()
        for (place, column) in kept.enumerated() {
            if place > 0 { line.append(" ", .bold) }
            let text = column.isLeft ? column.title.left(column.width) : column.title.right(column.width)
            line.append(text, column.title == by ? [.bold, .reverse] : .bold)
        }
        return line
    }

    func line(_ row: Row, _ kept: [Column<Row>], _ style: Style = []) -> Line {
        var text = ""
        for (place, column) in kept.enumerated() {
            if place > 0 { text += " " }
            let cell = column.text(row)
            text +=
                column.isLeft
                ? cell.fitted(column.width).left(column.width)
                : cell.fitted(column.width).right(column.width)
        }
        return Line(text, style)
    }
}
