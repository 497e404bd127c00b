internal import WeirGates
package import WeirSettings

/// Lays environment variables over a configuration: `WEIR__DESTINATIONS__SIEM__LIMIT=8MB` sets
/// `destinations.siem.limit`.
///
/// Two underscores a level, upper or lower case alike; a `-` or `.` in a name is written `_`. Lists and groups are JSON
/// text; one item of a list that is already there has its number: `WEIR__ROUTES__0__TO`. `null` takes a value away. A
/// variable that fits nothing is an error: a limit that someone believes to be set must not be silently absent. A
/// source or destination that no file knows is made only when its `…__TYPE` is given too, so a mistyped name is found.
package struct EnvironmentReader: Sendable {
    package static let prefix = "WEIR__"

    /// Folded names and values of the variables that are ours, sorted.
    private let variables: [(name: String, folded: String, value: String)]

    package init(_ environment: [String: String]) {
        variables = environment.filter { $0.key.uppercased().hasPrefix(EnvironmentReader.prefix) }
            .map { (name: $0.key, folded: EnvironmentReader.fold($0.key), value: $0.value) }
            .sorted { $0.name < $1.name }
    }

    /// - Parameters:
    ///   - node: what the files say; `nil` for nothing.
    ///   - shape: of the whole configuration, `Configuration.shape`.
    package func overlay(_ node: SettingNode?, shape: SettingShape) -> YAMLReader.Result {
        var result = node ?? SettingNode(.map([]))
        if result.isNull { result.content = .map([]) }
        var problems: [SettingProblem] = []
        var seen: [String: String] = [:]
        for variable in variables {
            if let twin = seen[variable.folded] {
                problems.append(
                    SettingProblem(
                        "this is the same as `\(twin)`", at: .environment(variable.name), help: "keep one of them"))
                continue
            }
            seen[variable.folded] = variable.name
            do throws(SettingProblem) {
                result = try set(variable, in: result, shape: shape)
            } catch {
                problems.append(error)
            }
        }
        return YAMLReader.Result(node: result, problems: problems)
    }

    private func set(
        _ variable: (name: String, folded: String, value: String), in node: SettingNode, shape: SettingShape
    ) throws(SettingProblem) -> SettingNode {
        let rest = variable.folded.dropFirst(EnvironmentReader.prefix.count)
        let segments = EnvironmentReader.levels(rest)
        guard segments.count <= 32, !segments.contains("") else {
            throw SettingProblem(
                "this names no setting", at: .environment(variable.name),
                help: "write `WEIR__SECTION__NAME__KEY`, two underscores between levels")
        }
        let walk = Walk(
            origin: .environment(variable.name), value: variable.value, prefix: EnvironmentReader.prefix.lowercased(),
            values: Dictionary(variables.map { ($0.folded, $0.value) }, uniquingKeysWith: { first, _ in first }))
        return try walk.set(node, shape, segments[...], path: "")
    }

    private static func levels(_ text: Substring) -> [String] {
        var levels = [""]
        var index = text.startIndex
        while index < text.endIndex {
            let next = text.index(after: index)
            if text[index] == "_", next < text.endIndex, text[next] == "_" {
                levels.append("")
                index = text.index(after: next)
            } else {
                levels[levels.count - 1].append(text[index])
                index = next
            }
        }
        return levels
    }

    /// Lower case, with `_` for what a variable's name cannot hold.
    static func fold(_ name: String) -> String {
        String(name.lowercased().map { $0 == "-" || $0 == "." || $0 == " " ? "_" : $0 })
    }

    /// One variable on its way down the tree, shape in hand.
    private struct Walk {
        let origin: SettingOrigin
        let value: String
        let prefix: String
        let values: [String: String]

        func set(
            _ node: SettingNode?, _ shape: SettingShape, _ rest: ArraySlice<String>, path: String
        ) throws(SettingProblem) -> SettingNode {
            guard let segment = rest.first else { return try written(shape, path: path) }
            let below = rest.dropFirst()
            switch shape {
            case .optional(let shape): return try set(node, shape, rest, path: path)
            case .group(let group):
                return try setField(group.fields(), of: node, segment, below, path: path)
            case .union(let union):
                let type = written("type", in: node) ?? values[variable(path) + "__type"]
                let kinds = union.kinds.filter { type == nil || $0.name == type || $0.aliases.contains(type ?? "") }
                let own = (kinds.isEmpty ? union.kinds : kinds).flatMap { $0.group.fields() }
                return try setField(
                    [union.typeField] + own + union.common.fields(), of: node, segment, below, path: path)
            case .map(let shape):
                return try setNamed(shape, of: node, segment, below, path: path)
            case .list(let shape):
                return try setItem(shape, of: node, segment, below, path: path)
            case .secret where below.isEmpty && (segment == "file" || segment == "env"):
                return SettingNode(
                    .map([SettingEntry(key: segment, keyOrigin: origin, value: .text(value, origin: origin))]),
                    origin: origin)
            case .either(let shapes):
                for shape in shapes {
                    if case .list = shape, case .list? = node?.content { return try set(node, shape, rest, path: path) }
                    if case .group = shape { return try set(node, shape, rest, path: path) }
                }
                throw problem("nothing is below `\(path)`", help: "set `\(path)` as a whole")
            default:
                throw problem(
                    "`\(path)` is a single value: nothing is below it", help: "write `\(variable(path).uppercased())`")
            }
        }

        private func setField(
            _ fields: [FieldDescription], of node: SettingNode?, _ segment: String, _ below: ArraySlice<String>,
            path: String
        ) throws(SettingProblem) -> SettingNode {
            guard
                let field = fields.first(where: { EnvironmentReader.fold($0.name) == segment })
                    ?? fields.first(where: { $0.aliases.contains { EnvironmentReader.fold($0) == segment } })
            else {
                let names = fields.map(\.name)
                let place = path.isEmpty ? "the configuration" : "`\(path)`"
                throw problem(
                    "`\(segment.clipped)` is not a setting of \(place)", help: suggestion(segment, names, path: path))
            }
            guard var entries = entries(of: node) else { return node ?? SettingNode(.null) }
            let index = entries.firstIndex { $0.key == field.name || field.aliases.contains($0.key) }
            let old = index.map { entries[$0].value }
            let new = try set(old, field.shape, below, path: path.isEmpty ? field.name : "\(path).\(field.name)")
            let keyOrigin = index.map { entries[$0].keyOrigin } ?? origin
            let entry = SettingEntry(key: field.name, keyOrigin: below.isEmpty ? origin : keyOrigin, value: new)
            if let index { entries[index] = entry } else { entries.append(entry) }
            return SettingNode(.map(entries), origin: node?.origin ?? origin)
        }

        private func setNamed(
            _ shape: SettingShape, of node: SettingNode?, _ segment: String, _ below: ArraySlice<String>, path: String
        ) throws(SettingProblem) -> SettingNode {
            guard var entries = entries(of: node) else { return node ?? SettingNode(.null) }
            let matches = entries.indices.filter { EnvironmentReader.fold(entries[$0].key) == segment }
            if matches.count > 1 {
                let names = matches.map { "`\(entries[$0].key)`" }.joined(separator: " and ")
                throw problem(
                    "`\(segment.clipped)` fits \(names)", help: "give one of them another name, or set it in the file")
            }
            if let index = matches.first {
                entries[index].value = try set(
                    entries[index].value, shape, below, path: "\(path).\(entries[index].key)")
                return SettingNode(.map(entries), origin: node?.origin ?? origin)
            }
            let full = "\(path).\(segment)"
            if case .union(let union) = shape.unwrapped, !below.isEmpty, values[variable(full) + "__type"] == nil {
                throw problem(
                    "there is no \(union.noun) `\(segment.clipped)`",
                    help: suggestion(segment, entries.map(\.key), path: path, list: false)
                        + (Nearest.word(segment, among: entries.map(\.key)) == nil
                            ? "set `\(variable(full).uppercased())__TYPE` too to make one" : ""))
            }
            let value = try set(nil, shape, below, path: full)
            entries.append(SettingEntry(key: segment, keyOrigin: origin, value: value))
            return SettingNode(.map(entries), origin: node?.origin ?? origin)
        }

        private func setItem(
            _ shape: SettingShape, of node: SettingNode?, _ segment: String, _ below: ArraySlice<String>, path: String
        ) throws(SettingProblem) -> SettingNode {
            guard case .list(var items)? = node?.content, let index = Int(segment), items.indices.contains(index) else {
                throw problem(
                    "`\(path)` has no item `\(segment.clipped)`",
                    help: "items are counted from 0; set the whole list as JSON text")
            }
            items[index] = try set(items[index], shape, below, path: "\(path)[\(index)]")
            return SettingNode(.list(items), origin: node?.origin ?? origin)
        }

        /// The variable's text as a node of the shape: JSON for what has parts, a plain word for all else.
        private func written(_ shape: SettingShape, path: String) throws(SettingProblem) -> SettingNode {
            if value == "null" { return SettingNode(.null, origin: origin) }
            let first = value.first { $0 != " " }
            switch shape.unwrapped {
            case .list, .map, .group, .union:
                guard first == "[" || first == "{" else {
                    let sample: String =
                        if case .list = shape.unwrapped { "[\"a\", \"b\"]" } else { "{\"key\": \"value\"}" }
                    throw problem("`\(path)` wants JSON text", help: "write `\(sample)`")
                }
                return try json(path: path)
            case .secret, .either:
                return first == "[" || first == "{" ? try json(path: path) : .text(value, origin: origin)
            default:
                return .text(value, origin: origin)
            }
        }

        private func json(path: String) throws(SettingProblem) -> SettingNode {
            let (node, problems) = YAMLTree.read(Array(value.utf8), file: "", limits: YAMLLimits())
            guard let node, problems.isEmpty else {
                // The reader's message may quote the value: it stays here.
                throw problem("the value is not JSON", help: "write `[\"a\", \"b\"]` or `{\"key\": \"value\"}`")
            }
            return relocated(node)
        }

        private func relocated(_ node: SettingNode) -> SettingNode {
            switch node.content {
            case .null, .scalar: SettingNode(node.content, origin: origin)
            case .list(let items): SettingNode(.list(items.map(relocated)), origin: origin)
            case .map(let entries):
                SettingNode(
                    .map(entries.map { SettingEntry(key: $0.key, keyOrigin: origin, value: relocated($0.value)) }),
                    origin: origin)
            }
        }

        /// `nil` where the file has something else than a group: reading will complain about the file's line.
        private func entries(of node: SettingNode?) -> [SettingEntry]? {
            switch node?.content {
            case .map(let entries): entries
            case nil, .null: []
            case .scalar, .list: nil
            }
        }

        private func written(_ key: String, in node: SettingNode?) -> String? {
            if case .scalar(let scalar)? = node?[key]?.content { scalar.text } else { nil }
        }

        /// The folded variable for a path: `weir__destinations__siem`.
        private func variable(_ path: String) -> String {
            var name = prefix
            for character in EnvironmentReader.fold(path.replacing(".", with: "\u{1}")) {
                switch character {
                case "\u{1}", "[": name += "__"
                case "]": break
                default: name.append(character)
                }
            }
            return name
        }

        private func suggestion(_ segment: String, _ names: [String], path: String, list: Bool = true) -> String {
            if let near = Nearest.word(segment, among: names) {
                let full = path.isEmpty ? near : "\(path).\(near)"
                return "did you mean `\(variable(full).uppercased())`?"
            }
            if !list { return "" }
            return names.isEmpty ? "" : "known: \(Set(names).sorted().map { "`\($0)`" }.joined(separator: ", "))"
        }

        private func problem(_ message: String, help: String) -> SettingProblem {
            SettingProblem(message, at: origin, help: help)
        }
    }
}
