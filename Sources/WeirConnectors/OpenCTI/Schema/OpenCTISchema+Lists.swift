/// Lists as OpenCTI gives them: edges with a node each, and a page.
extension OpenCTISchema {
    private struct Page: Sendable {
        var count: Int
    }

    private struct Edge<Element: Sendable>: Sendable {
        var element: Element
        var cursor: Int
    }

    /// `…Connection`, `…Edge` and `…PageInfo` over an array; everything is on one page.
    static func list<Element: Sendable>(_ name: String, of element: Element.Type) -> [GraphObjectType] {
        [
            GraphObjectType(
                "\(name)Connection",
                [
                    .object("edges", "\(name)Edge") { call in
                        let elements = try call.source([Element].self)
                        return .nodes(elements.enumerated().map { Edge(element: $1, cursor: $0 + 1) })
                    },
                    .object("pageInfo", "\(name)PageInfo") { call in
                        .node(Page(count: try call.source([Element].self).count))
                    },
                ]),
            GraphObjectType(
                "\(name)Edge",
                [
                    .object("node", name) { .node(try $0.source(Edge<Element>.self).element) },
                    .leaf("cursor", of: Edge<Element>.self) { .string(String($0.cursor)) },
                ]),
            GraphObjectType(
                "\(name)PageInfo",
                [
                    .leaf("startCursor", of: Page.self) { .string($0.count == 0 ? "" : "1") },
                    .leaf("endCursor", of: Page.self) { .string($0.count == 0 ? "" : String($0.count)) },
                    .leaf("hasNextPage") { _ in .bool(false) },
                    .leaf("hasPreviousPage") { _ in .bool(false) },
                    .leaf("globalCount", of: Page.self) { .whole($0.count) },
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
