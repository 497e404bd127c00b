import ArgumentParser
import WeirConsole

/// How a list or an object is printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
    case table, json, jsonl, yaml

    /// Prints the API's own document; `nil` for `table`, which is the caller's.
    func text(_ tree: Tree) -> String? {
        switch self {
        case .table: nil
        case .json: tree.prettyJSON
        case .jsonl:
            if case .list(let elements) = tree { elements.map(\.json).joined(separator: "\n") } else { tree.json }
        case .yaml: tree.yaml
        }
    }
}
