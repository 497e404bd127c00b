/// The expression as it was written: what the parser makes, macros already expanded.
struct Node: Sendable {
    indirect enum Kind: Sendable {
        case constant(Value)
        /// A name; `isAbsolute` when it was written with a leading dot.
        case name(String, isAbsolute: Bool)
        case select(Node, String, isOptional: Bool)
        case has(Node, String, isOptional: Bool)
        case index(Node, Node, isOptional: Bool)
        case call(String, [Node])
        case method(Node, String, [Node])
        /// Flattened, so that a long chain is wide and not deep.
        case and([Node])
        case or([Node])
        case conditional(Node, Node, Node)
        case list([Element])
        case map([Entry])
        case message(String)
        case comprehension(Comprehension)
        case bind(String, Node, Node)
        /// `cel.block`: each slot may use those before it.
        case block([Node], Node)
    }

    struct Element: Sendable {
        var node: Node
        var isOptional: Bool
    }

    struct Entry: Sendable {
        var key: Node
        var value: Node
        var isOptional: Bool
    }

    struct Comprehension: Sendable {
        enum Shape: Sendable {
            case all, exists, existsOne, filter, map, transformMap, transformMapEntry, optionalMap, optionalFlatMap
        }
        var shape: Shape
        var range: Node
        /// One name, or two: index and element of a list, key and value of a map.
        var names: [String]
        var predicate: Node?
        var transform: Node?
    }

    let kind: Kind
    /// Byte offset in the source, for messages.
    let at: Int
    /// Levels of nodes from here down, this one included. Later passes recurse this deep, so the parser bounds it.
    let height: Int

    init(kind: Kind, at: Int) {
        self.kind = kind
        self.at = at
        height = 1 + Self.heightOfChildren(kind)
    }

    private static func heightOfChildren(_ kind: Kind) -> Int {
        func most(_ nodes: [Node]) -> Int { nodes.reduce(0) { max($0, $1.height) } }
        switch kind {
        case .constant, .name, .message: return 0
        case .select(let inner, _, _), .has(let inner, _, _): return inner.height
        case .index(let one, let two, _), .bind(_, let one, let two): return max(one.height, two.height)
        case .call(_, let nodes), .and(let nodes), .or(let nodes): return most(nodes)
        case .method(let target, _, let nodes): return max(target.height, most(nodes))
        case .conditional(let one, let two, let three): return max(one.height, max(two.height, three.height))
        case .list(let elements): return elements.reduce(0) { max($0, $1.node.height) }
        case .map(let entries): return entries.reduce(0) { max($0, max($1.key.height, $1.value.height)) }
        case .comprehension(let loop):
            return max(loop.range.height, max(loop.predicate?.height ?? 0, loop.transform?.height ?? 0))
        case .block(let slots, let body): return max(most(slots), body.height)
        }
    }

    /// `a.b.c` when the node is nothing but names and plain selections.
    var dottedName: (name: String, isAbsolute: Bool)? {
        switch kind {
        case .name(let name, let isAbsolute): return (name, isAbsolute)
        case .select(let inner, let field, isOptional: false):
            guard let outer = inner.dottedName else { return nil }
            return (outer.name + "." + field, outer.isAbsolute)
        default: return nil
        }
    }
}
