/// One page of a list, as OpenCTI gives them: edges with a node each. A cursor says how many elements are before it and
/// at it, from the list's begin; it is opaque to clients.
struct GraphPage<Element: Sendable>: Sendable {
    struct Edge: Sendable {
        var element: Element
        var cursor: Int
    }

    var elements: [Element]
    /// How many elements of the list come before.
    var before: Int
    var hasNext: Bool
    /// Of the whole list; `nil` when it was not counted.
    var total: Int?

    /// Which part of a list is asked for.
    struct Part: Sendable {
        /// Later parts are not given: what is before them is counted anew with each.
        static var beforeMost: Int { 10_000 }

        var before: Int
        var most: Int

        /// From the arguments `after` and `first`.
        /// - Parameter most: elements that are given at once, also when more are asked for.
        init(_ call: GraphCall, most: Int) throws(GraphProblem) {
            let after = call.text("after") ?? ""
            guard let before = after.isEmpty ? 0 : Int(after), (0...Self.beforeMost).contains(before) else {
                throw GraphProblem(
                    .badInput, "`after` must be a cursor that Weir gave, of an element up to the 10000th.")
            }
            let first = call.arguments["first"]?.whole ?? most
            guard first >= 0 else { throw GraphProblem(.badInput, "`first` must not be negative.") }
            self.before = before
            self.most = min(first, most)
        }
    }

    /// - Parameters:
    ///   - elements: the list from its begin; one more than is asked for tells whether there is a next page.
    ///   - isWhole: they are all that there are.
    init(_ part: Part, of elements: [Element], isWhole: Bool) {
        before = part.before
        self.elements = Array(elements.dropFirst(part.before).prefix(part.most))
        hasNext = elements.count > part.before + self.elements.count
        total = isWhole ? elements.count : nil
    }

    var edges: [Edge] { elements.enumerated().map { Edge(element: $1, cursor: before + $0 + 1) } }
}

extension OpenCTISchema {
    /// `…Connection`, `…Edge` and `…PageInfo` over a `GraphPage`.
    static func list<Element: Sendable>(_ name: String, of element: Element.Type) -> [GraphObjectType] {
        typealias Page = GraphPage<Element>
        return [
            GraphObjectType(
                "\(name)Connection",
                [
                    .object("edges", "\(name)Edge") { .nodes(try $0.source(Page.self).edges) },
                    .object("pageInfo", "\(name)PageInfo") { .node(try $0.source(Page.self)) },
                ]),
            GraphObjectType(
                "\(name)Edge",
                [
                    .object("node", name) { .node(try $0.source(Page.Edge.self).element) },
                    .leaf("cursor", of: Page.Edge.self) { .string(String($0.cursor)) },
                ]),
            GraphObjectType(
                "\(name)PageInfo",
                [
                    .leaf("startCursor", of: Page.self) { .string($0.edges.first.map { String($0.cursor) } ?? "") },
                    .leaf("endCursor", of: Page.self) { .string($0.edges.last.map { String($0.cursor) } ?? "") },
                    .leaf("hasNextPage", of: Page.self) { .bool($0.hasNext) },
                    .leaf("hasPreviousPage", of: Page.self) { .bool($0.before > 0) },
                    .leaf("globalCount", of: Page.self) { $0.total.map { .whole($0) } ?? .null },
                ]),
        ]
    }
}

/// OpenCTI's filters, as far as connectors use them here: equality, all keys together.
struct FilterGroup: Sendable {
    private(set) var values: [String: [String]] = [:]

    init(_ value: GraphValue, known: [String]) throws(GraphProblem) {
        guard !value.isNull else { return }
        for filter in value["filters"]?.elements ?? [] {
            let keys = filter["key"]?.elements?.compactMap(\.text) ?? [filter["key"]?.text].compactMap(\.self)
            guard let key = keys.first, keys.count == 1, known.contains(key) else {
                throw GraphProblem(
                    .badInput, "Weir filters by \(known.joined(separator: ", ")) here, not by \(keys).")
            }
            let isPlain = filter["operator"].map { $0.isNull || $0.text == "eq" || $0.text == "match" } ?? true
            guard isPlain else {
                throw GraphProblem(.badInput, "Weir filters `\(key)` by equality (`eq`) only.")
            }
            values[key, default: []] += filter["values"]?.elements?.compactMap(\.text) ?? []
        }
        guard values.count < 2 || value["mode"]?.text ?? "and" == "and", (value["filterGroups"]?.elements ?? []).isEmpty
        else { throw GraphProblem(.badInput, "Weir takes one group of filters, with the mode `and`.") }
    }
}
