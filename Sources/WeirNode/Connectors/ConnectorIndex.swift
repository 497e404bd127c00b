import WeirGates
package import WeirWorld

/// All connectors at a glance, for lists, counts and pages of a hundred thousand.
package struct ConnectorIndex: Sendable {
    package struct Row: Sendable, Hashable {
        package var id: String
        package var name: String
        /// The name in small letters: people do not sort by case.
        package var key: String
        /// See `ConnectorStatus.word`.
        package var word: String
        package var hasTrouble: Bool
        package var lastRun: WallTime?
        package var nextRun: WallTime?
        /// `nil` where the queue cannot be read.
        package var bytes: Int64?
        package var threshold: Int64
    }

    /// By name, then by id.
    package private(set) var rows: [Row] = []
    /// By word; those without any are missing.
    package private(set) var counts: [String: Int] = [:]
    package private(set) var troubled = 0
    /// In all work queues that can be read.
    package private(set) var bytes: Int64 = 0

    /// Words for which nothing starts or a person is asked for.
    package static let heldWords: Set<String> = ["buffering", "blocking", "paused", "unknown", "failed", "suspended"]

    package var held: Int { counts.reduce(0) { Self.heldWords.contains($1.key) ? $0 + $1.value : $0 } }

    package init(_ statuses: some Sequence<ConnectorStatus> = []) {
        for status in statuses { add(status) }
        sort()
    }

    mutating func add(_ status: ConnectorStatus) {
        let lastRun: WallTime? =
            switch status.lastRun {
            case .at(let time), .fromState(let time): time
            case .notProvided: nil
            }
        let nextRun: WallTime? = if case .at(let time) = status.nextRun { time } else { nil }
        let word = status.word
        rows.append(
            Row(
                id: status.id, name: status.name, key: status.name.lowercased(), word: word,
                hasTrouble: !status.troubles.isEmpty, lastRun: lastRun, nextRun: nextRun, bytes: status.queueBytes,
                threshold: status.threshold))
        counts[word, default: 0] += 1
        if !status.troubles.isEmpty { troubled += 1 }
        bytes = bytes.addingReportingOverflow(status.queueBytes ?? 0).partialValue
    }

    mutating func sort() { rows.sort { ($0.key, $0.id) < ($1.key, $1.id) } }
}

/// Which connectors somebody wants to see.
package struct ConnectorQuery: Sendable, Hashable {
    package enum Order: String, Sendable, Hashable, CaseIterable {
        case name
        /// Those with trouble first, then the worst state.
        case state
        /// The newest first.
        case lastRun = "last_run"
        /// The soonest first.
        case nextRun = "next_run"
        /// The fullest first, as a part of the threshold.
        case size
    }

    /// What `state` may be: the words that a connector can have, and two for many of them.
    package static let states = words + [held, trouble]
    package static let words = [
        "waiting", "running", "buffering", "paused", "ended", "failed", "open", "filling", "blocking", "unknown",
    ]
    /// Everything that is held, see `ConnectorIndex.heldWords`.
    package static let held = "held"
    /// Everything that has a trouble, whatever it does.
    package static let trouble = "trouble"

    /// One of `states`; all when absent.
    package var state: String?
    /// Part of the name or the id, whatever its case.
    package var text = ""
    package var order = Order.name
    /// The id of the last one that was seen.
    package var after: String?
    package var limit = 100

    package init() {}

    fileprivate func matches(_ row: ConnectorIndex.Row, _ text: String) -> Bool {
        let isState =
            switch state {
            case nil: true
            case Self.trouble: row.hasTrouble
            case Self.held: ConnectorIndex.heldWords.contains(row.word)
            default: row.word == state
            }
        guard isState, !text.isEmpty else { return isState }
        return row.key.contains(text) || row.id.lowercased().contains(text)
    }

    /// What comes first has the lowest; equal ones go by name.
    fileprivate func rank(_ row: ConnectorIndex.Row) -> Double {
        switch order {
        case .name: 0
        case .state: (row.hasTrouble ? 0 : 100) + Double(Self.worstFirst.firstIndex(of: row.word) ?? 99)
        case .lastRun: -(row.lastRun?.secondsSince1970 ?? -.infinity)
        case .nextRun: row.nextRun?.secondsSince1970 ?? .infinity
        case .size: row.bytes.map { -Double($0) / Double(max(row.threshold, 1)) } ?? -.infinity
        }
    }

    private static let worstFirst = [
        "unknown", "suspended", "failed", "blocking", "buffering", "paused", "filling", "ended", "running", "waiting",
        "open",
    ]
}

/// One page of a query's answer.
package struct ConnectorSelection: Sendable {
    package var rows: ArraySlice<ConnectorIndex.Row>
    /// Rows that the query fits, on all pages.
    package var matching: Int
    /// Rows before this page.
    package var before: Int
    /// What `after` is for the next page; `nil` on the last one.
    package var next: String? { before + rows.count < matching ? rows.last?.id : nil }

    package init(rows: ArraySlice<ConnectorIndex.Row>, matching: Int, before: Int) {
        self.rows = rows
        self.matching = matching
        self.before = before
    }
}

extension ConnectorIndex {
    /// - Returns: `nil` when the connector after which the page begins is not among them any more.
    package func select(_ query: ConnectorQuery) -> ConnectorSelection? {
        let text = query.text.lowercased()
        var found = query.state == nil && text.isEmpty ? rows : rows.filter { query.matches($0, text) }
        if query.order != .name {
            // Stable by the place in the list, which is by name.
            found = found.enumerated().map { (query.rank($1), $0, $1) }.sorted { ($0.0, $0.1) < ($1.0, $1.1) }.map(\.2)
        }
        var start = 0
        if let after = query.after {
            guard let place = found.firstIndex(where: { $0.id == after }) else { return nil }
            start = place + 1
        }
        return ConnectorSelection(
            rows: found[start..<min(start + query.limit, found.count)], matching: found.count, before: start)
    }

    /// One with this id, or all with this name.
    package func named(_ name: String) -> [Row] {
        if let row = rows.first(where: { $0.id == name }) { return [row] }
        return rows.filter { $0.name == name }
    }
}
