internal import WeirGates
import WeirSettings

/// What a configuration may cost before it is refused.
package struct YAMLLimits: Sendable {
    /// Bytes of one file. Default 16 MiB.
    package var bytes = 16 << 20
    /// Keys and values, aliases counted as what they stand for. Default 100 000.
    package var nodes = 100_000
    /// Groups and lists inside one another, aliases included. Default 64.
    package var depth = 64
    /// Values with an anchor (`&name`) to be used again. Default 1 000.
    package var anchors = 1_000

    package init() {}
}

/// Builds the tree from the parser's events, and stops at the first thing that is over a limit.
///
/// Aliases (`*name`) are allowed within the node budget: each counts as all that it stands for, so the expansion that
/// makes a "billion laughs" is paid for before it happens. An anchor is known only after its value is complete, so
/// nothing can hold itself. `<<: *name` merges, what is written beside it wins.
struct YAMLTree {
    private struct Frame {
        var isMap: Bool
        var start: YAMLMark
        var origin: SettingOrigin
        var anchor: String?
        var items: [SettingNode] = []
        var entries: [SettingEntry] = []
        var keys: [String: SettingOrigin] = [:]
        /// The key that waits for its value.
        var key: (text: String, origin: SettingOrigin, isDouble: Bool)?
        var merged: [SettingNode] = []
        var count = 1
        var height = 1
    }

    private struct Anchored {
        var node: SettingNode
        var count: Int
        var height: Int
    }

    /// Stops the building; the problem was noted.
    private struct Refused: Error {}

    private var source: YAMLSource
    private let limits: YAMLLimits
    private var frames: [Frame] = []
    private var anchors: [String: Anchored] = [:]
    private var nodes = 0
    private var root: SettingNode?
    private(set) var problems: [SettingProblem] = []

    private init(source: YAMLSource, limits: YAMLLimits) {
        self.source = source
        self.limits = limits
    }

    /// The tree of one source; `nil` when it cannot be read. Duplicate keys are problems, yet the tree goes on, so that
    /// its other problems are found in the same pass.
    static func read(
        _ bytes: [UInt8], file: String, limits: YAMLLimits
    ) -> (node: SettingNode?, problems: [SettingProblem]) {
        if bytes.count > limits.bytes {
            let most = ByteCount(limits.bytes).exactText
            return (
                nil, [SettingProblem("`\(file)` is larger than \(most)", help: "a configuration is never that large")]
            )
        }
        let body = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
        var tree = YAMLTree(source: YAMLSource(body, file: file), limits: limits)
        guard let events = YAMLEvents(body) else {
            return (nil, [SettingProblem("there is no memory left to read `\(file)`")])
        }
        do {
            try tree.build(events)
        } catch {
            return (nil, tree.problems)
        }
        return (
            tree.root ?? SettingNode(.null, origin: tree.source.origin(YAMLMark(line: 1, column: 1))), tree.problems
        )
    }

    private mutating func build(_ events: YAMLEvents) throws(Refused) {
        var documents = 0
        while true {
            let event: YAMLEvent
            do throws(YAMLSyntaxFailure) {
                event = try events.next()
            } catch {
                noteSyntax(error)
                throw Refused()
            }
            switch event.kind {
            case .streamEnd: return
            case .documentStart:
                documents += 1
                if documents > 1 {
                    try refuse(
                        "a second document begins here", at: source.origin(event.start, to: event.end),
                        help: "take out the `---`, or put the second part into a file of its own in a folder")
                }
            case .documentEnd, .other: break
            default: try take(event)
            }
        }
    }

    private mutating func take(_ event: YAMLEvent) throws(Refused) {
        nodes += 1
        try checkBudget(at: event)
        if event.anchor != nil && anchors.count >= limits.anchors {
            try refuse(
                "there are more than \(limits.anchors) anchors (`&name`) up to here",
                at: source.origin(event.start, to: event.end), help: "a configuration never needs that many")
        }
        try checkTag(event)
        let origin = source.origin(event.start, to: event.end)
        switch event.kind {
        case .scalar(let text, let isPlain):
            let isQuoted = !isPlain || event.tag == "tag:yaml.org,2002:str"
            if frames.last?.isMap == true && frames.last?.key == nil {
                try takeKey(text, isQuoted: isQuoted, at: origin)
            } else {
                let isNull = !isQuoted && ["", "~", "null", "Null", "NULL"].contains(text)
                let content: SettingNode.Content =
                    isNull ? .null : .scalar(SettingScalar(text: text, isQuoted: isQuoted))
                place(SettingNode(content, origin: origin), anchor: event.anchor, count: 1, height: 1)
            }
        case .alias(let name):
            try takeAlias(name, at: origin)
        case .listStart, .mapStart:
            if frames.last?.isMap == true && frames.last?.key == nil {
                try refuse("a key must be a single word", at: origin, help: "write `key: value`")
            }
            if frames.count >= limits.depth {
                try refuse(
                    "more than \(limits.depth) levels are nested here", at: origin,
                    help: "a configuration is never that deep")
            }
            var isMap = false
            if case .mapStart = event.kind { isMap = true }
            frames.append(Frame(isMap: isMap, start: event.start, origin: origin, anchor: event.anchor))
        case .listEnd, .mapEnd:
            finishFrame(event)
        case .documentStart, .documentEnd, .streamEnd, .other: break
        }
    }

    private mutating func takeKey(_ text: String, isQuoted: Bool, at origin: SettingOrigin) throws(Refused) {
        if text.isEmpty { try refuse("a key is missing before the `:`", at: origin, help: "write `key: value`") }
        let last = frames.count - 1
        // `<<` may come several times: each merges.
        let first = text == "<<" && !isQuoted ? nil : frames[last].keys[text]
        if let first {
            if problems.count >= SettingReading.problemsKept {
                try refuse("too many keys are written twice up to here", at: origin, help: "keep one of each")
            }
            problems.append(
                SettingProblem(
                    "`\(text.clipped)` is written twice", at: origin,
                    help: "it was first written in line \(first.place?.line ?? 0); keep one of them"))
        }
        frames[last].keys[text] = first ?? origin
        frames[last].key = (text, origin, first != nil)
        frames[last].count += 1
    }

    private mutating func takeAlias(_ name: String, at origin: SettingOrigin) throws(Refused) {
        if frames.last?.isMap == true && frames.last?.key == nil {
            try refuse("a key cannot be an alias", at: origin, help: "write the key itself")
        }
        guard let anchored = anchors[name] else {
            try refuse(
                "`*\(name.clipped)` stands for nothing: there is no `&\(name.clipped)` above", at: origin,
                help: "put text that begins with `*` in quotes")
            return
        }
        nodes += anchored.count - 1
        if nodes > limits.nodes {
            try refuse(
                "the aliases in this file stand for more than \(limits.nodes) values", at: origin,
                help: "write out what is meant")
        }
        if frames.count + anchored.height > limits.depth + 1 {
            try refuse(
                "more than \(limits.depth) levels are nested here", at: origin,
                help: "a configuration is never that deep")
        }
        place(anchored.node, anchor: nil, count: anchored.count, height: anchored.height)
    }

    private mutating func finishFrame(_ event: YAMLEvent) {
        guard var frame = frames.popLast() else { return }
        if case .file(var place) = frame.origin {
            // Over several lines the first key or item stands for the whole.
            if frame.start.line == event.end.line { place.length = max(1, event.end.column - frame.start.column) }
            let first = frame.isMap ? frame.entries.first?.keyOrigin.place : frame.items.first?.origin.place
            if let first, frame.start.line != event.end.line, first.line == place.line, first.column == place.column {
                place.length = first.length
            }
            frame.origin = .file(place)
        }
        if frame.isMap { merge(&frame) }
        let content: SettingNode.Content = frame.isMap ? .map(frame.entries) : .list(frame.items)
        place(
            SettingNode(content, origin: frame.origin), anchor: frame.anchor, count: frame.count, height: frame.height)
    }

    /// Puts a finished value where it belongs.
    private mutating func place(_ node: SettingNode, anchor: String?, count: Int, height: Int) {
        if let anchor { anchors[anchor] = Anchored(node: node, count: count, height: height) }
        guard !frames.isEmpty else {
            root = node
            return
        }
        let last = frames.count - 1
        frames[last].count += count
        frames[last].height = max(frames[last].height, height + 1)
        if !frames[last].isMap {
            frames[last].items.append(node)
            return
        }
        guard let key = frames[last].key else { return }
        frames[last].key = nil
        if key.text == "<<" {
            frames[last].merged.append(node)
        } else if !key.isDouble {
            frames[last].entries.append(SettingEntry(key: key.text, keyOrigin: key.origin, value: node))
        }
    }

    private mutating func merge(_ frame: inout Frame) {
        for node in frame.merged {
            let parts: [SettingNode] = if case .list(let items) = node.content { items } else { [node] }
            for part in parts {
                guard case .map(let entries) = part.content else {
                    problems.append(
                        SettingProblem(
                            "`<<` takes a group of settings, not \(part.found)", at: part.origin,
                            help: "write `<<: *name`"))
                    continue
                }
                for entry in entries where frame.keys[entry.key] == nil {
                    frame.keys[entry.key] = entry.keyOrigin
                    frame.entries.append(entry)
                }
            }
        }
    }

    private mutating func checkBudget(at event: YAMLEvent) throws(Refused) {
        guard nodes > limits.nodes else { return }
        try refuse(
            "there are more than \(limits.nodes) values up to here", at: source.origin(event.start, to: event.end),
            help: "a configuration is never that large")
    }

    /// Tags other than the plain types would ask for objects that nobody makes here.
    private mutating func checkTag(_ event: YAMLEvent) throws(Refused) {
        guard let tag = event.tag, tag != "!" else { return }
        let known = ["str", "int", "float", "bool", "null", "map", "seq"].map { "tag:yaml.org,2002:\($0)" }
        if !known.contains(tag) {
            try refuse(
                "the tag `\(tag.clipped)` means nothing here", at: source.origin(event.start, to: event.end),
                help: "take it out, or put text that begins with `!` in quotes")
        }
    }

    private mutating func refuse(_ message: String, at origin: SettingOrigin, help: String) throws(Refused) {
        problems.append(SettingProblem(message, at: origin, help: help))
        throw Refused()
    }

    private mutating func noteSyntax(_ failure: YAMLSyntaxFailure) {
        var mark = failure.offset.map { source.mark(ofByte: $0) } ?? failure.mark
        // At the end of the file libyaml points behind the last line, where there is nothing to show.
        if source.text(ofLine: mark.line).isEmpty, let context = failure.contextMark {
            mark = context
        }
        var failure = failure
        failure.mark = mark
        let (message, help) = failure.explained(line: source.text(ofLine: mark.line), depth: limits.depth)
        problems.append(SettingProblem(message, at: source.origin(mark), help: help))
    }
}
