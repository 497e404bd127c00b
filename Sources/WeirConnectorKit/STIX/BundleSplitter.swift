/// Cuts a bundle into one message an object, in the order in which a platform can take them: what others refer to comes
/// first.
///
/// The rules are pycti's (`OpenCTIStix2Splitter`), because the platform's workers rely on them: an object's number of
/// dependencies is 1 and those of everything it refers to; it stands in `nb_deps` and as `x_opencti_seq` in the
/// message's bundle, and messages are sorted by it. A reference that would close a circle, leads to the object itself
/// or to a type that is left out becomes null (in a list it is taken out); one that leads out of the bundle stays.
/// Relationships that lack an end, sightings without place or thing, and objects of unknown types are left out. Here
/// whoever sends is told which.
///
/// References are followed with a stack of our own: how long a chain of them is, is up to whoever made the bundle.
struct BundleSplitter {
    struct Part {
        var sequence: Int
        var object: JSONObject
    }

    struct Result {
        var parts: [Part] = []
        /// Identifiers of those that were left out.
        var leftOut: [String] = []
    }

    /// An object whose references are being followed.
    private struct Visit {
        var place: Int
        /// Under which name it was referred to.
        var name: String
        var keys: [String]
        var keyIndex = 0
        /// Of the list at hand: all, how far we are, and what stays.
        var list: [JSONValue] = []
        var listIndex = 0
        var kept: [JSONValue] = []
        var count = 1
    }

    private let keepsAllTypes: Bool
    private var objects: [JSONObject]
    /// By `id` and by the identifiers inside OpenCTI's extension.
    private var places: [String: Int] = [:]
    private var references: [String: Set<String>] = [:]
    private var counts: [Int: Int] = [:]
    private var order: [Int] = []
    private var leftOut: [String] = []
    private var visits: [Visit] = []
    /// Identifiers that led to the visits, but for the first.
    private var path: [String: Int] = [:]

    /// - Parameter keepsAllTypes: objects of types that OpenCTI does not know are sent too.
    static func split(_ bundle: STIXBundle, keepsAllTypes: Bool = false) -> Result {
        var splitter = BundleSplitter(bundle, keepsAllTypes)
        return splitter.run()
    }

    private init(_ bundle: STIXBundle, _ keepsAllTypes: Bool) {
        self.keepsAllTypes = keepsAllTypes
        objects = bundle.objects
        for (place, object) in objects.enumerated() {
            if let id = object["id"]?.text { places[id] = place }
            for id in BundleSplitter.internalIDs(object) { places[id] = place }
        }
    }

    private mutating func run() -> Result {
        for object in objects {
            guard let id = object["id"]?.text, let place = places[id], counts[place] == nil else { continue }
            visit(place, as: id)
            follow()
        }
        // Stable: objects with as many dependencies stay in their order.
        let sorted = order.enumerated().sorted {
            (counts[$0.element] ?? 0, $0.offset) < (counts[$1.element] ?? 0, $1.offset)
        }
        let parts = sorted.map { _, place in
            let count = counts[place] ?? 1
            var object = objects[place]
            object["nb_deps"] = .integer(Int64(count))
            return Part(sequence: count, object: object)
        }
        return Result(parts: parts, leftOut: leftOut)
    }

    private mutating func visit(_ place: Int, as name: String) {
        visits.append(Visit(place: place, name: name, keys: objects[place].members.map(\.name)))
    }

    private mutating func follow() {
        while var current = visits.popLast() {
            if let next = step(&current) {
                references[current.name, default: []].insert(next)
                visits.append(current)
                if let place = places[next] {
                    if let known = counts[place] {
                        visits[visits.count - 1].count += known
                    } else {
                        path[next, default: 0] += 1
                        visit(place, as: next)
                    }
                }
            } else {
                settle(current)
                guard !visits.isEmpty else { continue }
                if let times = path[current.name] { path[current.name] = times > 1 ? times - 1 : nil }
                visits[visits.count - 1].count += current.count
            }
        }
    }

    /// Goes on to the next reference that is to be followed; `nil` when there are no more.
    private mutating func step(_ current: inout Visit) -> String? {
        while current.keyIndex < current.keys.count {
            let key = current.keys[current.keyIndex]
            let value = objects[current.place][key] ?? .null
            if key.hasSuffix("_refs"), current.listIndex > 0 || value.elements != nil {
                if current.listIndex == 0 { current.list = value.elements ?? [] }
                while current.listIndex < current.list.count {
                    let reference = current.list[current.listIndex]
                    current.listIndex += 1
                    guard let target = reference.text, follows(target, from: current) else { continue }
                    if !current.kept.contains(reference) { current.kept.append(reference) }
                    return target
                }
                if !current.list.isEmpty { objects[current.place][key] = .array(current.kept) }
                (current.list, current.listIndex, current.kept) = ([], 0, [])
                current.keyIndex += 1
                continue
            }
            current.keyIndex += 1
            if key.hasSuffix("_ref") {
                if let target = value.text, follows(target, from: current) { return target }
                objects[current.place][key] = .null
            } else if key == "external_references" || key == "kill_chain_phases" {
                objects[current.place][key] = BundleSplitter.withoutRepetitions(value, of: key)
            }
        }
        return nil
    }

    private func follows(_ target: String, from current: Visit) -> Bool {
        (keepsAllTypes || STIXTypes.isKnown(identifier: target)) && target != current.name && path[target] == nil
            && references[target]?.contains(current.name) != true
    }

    /// All references of an object were followed.
    private mutating func settle(_ visit: Visit) {
        let object = objects[visit.place]
        // An object that was met again within a circle is there already; its count is the larger one.
        if counts[visit.place] == nil {
            if isComplete(object, visit.name) { order.append(visit.place) } else { leftOut.append(visit.name) }
        }
        counts[visit.place] = visit.count
    }

    private func isComplete(_ object: JSONObject, _ id: String) -> Bool {
        switch object["type"]?.text {
        case "relationship": object["source_ref"]?.text != nil && object["target_ref"]?.text != nil
        case "sighting":
            object["sighting_of_ref"]?.text != nil && object["where_sighted_refs"]?.elements?.isEmpty == false
        default: keepsAllTypes || STIXTypes.isKnown(identifier: id)
        }
    }

    private static func internalIDs(_ object: JSONObject) -> [String] {
        let openCTI = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"
        return [object["x_opencti_id"], object["extensions"]?.object?[openCTI]?.object?["id"]].compactMap { $0?.text }
    }

    /// The first of several that mean the same. A reference is known by its URL, or else by source and identifier; what
    /// has neither is left out.
    private static func withoutRepetitions(_ value: JSONValue, of key: String) -> JSONValue {
        guard let elements = value.elements else { return value }
        var seen: Set<[String?]> = []
        return .array(
            elements.filter { element in
                guard let object = element.object else { return false }
                func text(_ name: String) -> String? { object[name]?.text }
                let identity: [String?]
                if key == "kill_chain_phases" {
                    identity = [text("kill_chain_name"), text("phase_name")]
                } else if let url = text("url") {
                    identity = [url]
                } else if let source = text("source_name"), let id = text("external_id") {
                    identity = [source, id]
                } else {
                    return false
                }
                return seen.insert(identity).inserted
            })
    }
}
