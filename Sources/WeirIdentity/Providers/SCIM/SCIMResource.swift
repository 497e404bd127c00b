import WeirExpressions

/// A SCIM resource as it came, and what it is as one of our objects.
struct SCIMResource {
    let json: ValueMap

    init?(_ value: Value) {
        guard case .map(let map) = value, case .string(let id)? = Self.field(map, "id"), !id.isEmpty else { return nil }
        json = map
    }

    /// SCIM's names are the same in any case (RFC 7643, 2.1).
    static func field(_ map: ValueMap, _ name: String) -> Value? {
        if let found = map[.string(name)] { return found }
        for (at, key) in map.keys.enumerated() {
            if case .string(let text) = key, text.lowercased() == name.lowercased() { return map.values[at] }
        }
        return nil
    }

    static func text(_ value: Value?) -> String? {
        switch value {
        case .string(let text)?: text.isEmpty ? nil : text
        case .bool(let bool)?: bool ? "true" : "false"
        case .int(let number)?: String(number)
        case .uint(let number)?: String(number)
        case .double(let number)?: String(number)
        default: nil
        }
    }

    var id: String { Self.text(Self.field(json, "id")) ?? "" }

    /// Of the state that this is, where the service says so.
    var version: String? {
        guard case .map(let meta)? = Self.field(json, "meta") else { return nil }
        return Self.text(Self.field(meta, "version"))
    }

    func object(_ kind: ObjectKind) -> SiloObject {
        var attributes: [String: [String]] = [:]
        for (at, key) in json.keys.enumerated() {
            guard case .string(let name) = key else { continue }
            switch name.lowercased() {
            case "schemas", "meta", "id": continue
            case SCIMAttribute.enterprise.lowercased(): Self.put("enterprise", json.values[at], &attributes)
            case let name where name.hasPrefix("urn:"): continue
            case let name: Self.put(name, json.values[at], &attributes)
            }
        }
        for (name, values) in attributes { attributes[name] = Set(values).sorted() }
        let name = attributes["username"]?.first ?? attributes["displayname"]?.first ?? id
        return SiloObject(kind: kind, anchor: id, name: name, attributes: attributes)
    }

    private static func put(_ name: String, _ value: Value, _ attributes: inout [String: [String]]) {
        switch value {
        case .map(let map):
            // A reference has a value; what else it has (a display name, an address) is another resource's.
            if let value = text(field(map, "value")) {
                attributes[name, default: []].append(value)
                if let type = text(field(map, "type"))?.lowercased(), SCIMAttribute.listNames.contains(name),
                    name != "members", name != "groups"
                {
                    attributes[name + "_" + type, default: []].append(value)
                }
                return
            }
            for (at, key) in map.keys.enumerated() {
                if case .string(let inner) = key { put(name + "_" + inner.lowercased(), map.values[at], &attributes) }
            }
        case .list(let list): for element in list { put(name, element, &attributes) }
        default: if let text = text(value) { attributes[name, default: []].append(text) }
        }
    }

    // MARK: Writing

    /// A new resource.
    /// - Returns: nil and the attribute that SCIM has no place for.
    static func make(_ attributes: [String: [String]], group: Bool) -> (json: ValueMap?, unknown: String?) {
        var schemas = [
            group ? "urn:ietf:params:scim:schemas:core:2.0:Group" : "urn:ietf:params:scim:schemas:core:2.0:User"
        ]
        if attributes.keys.contains(where: { $0.hasPrefix("enterprise_") }) { schemas.append(SCIMAttribute.enterprise) }
        var json = ValueMap()
        json[.string("schemas")] = .list(schemas.map { .string($0) })
        for (name, values) in attributes.sorted(by: { $0.key < $1.key }) {
            guard let attribute = SCIMAttribute.named(name) else { return (nil, name) }
            guard let value = Self.value(attribute, values) else { return (nil, name) }
            set(value, attribute, &json)
        }
        return (json, nil)
    }

    private static func set(_ value: Value, _ attribute: SCIMAttribute, _ json: inout ValueMap) {
        guard attribute.path.count == 2 else {
            if case .list(let more) = value, case .list(let there)? = json[.string(attribute.path[0])] {
                json[.string(attribute.path[0])] = .list(there + more)
            } else {
                json[.string(attribute.path[0])] = value
            }
            return
        }
        var inner = ValueMap()
        if case .map(let there)? = json[.string(attribute.path[0])] { inner = there }
        inner[.string(attribute.path[1])] = value
        json[.string(attribute.path[0])] = .map(inner)
    }

    /// Values in SCIM's shape; nil where they do not fit it.
    static func value(_ attribute: SCIMAttribute, _ values: [String]) -> Value? {
        func entry(_ text: String, _ type: String?) -> Value {
            var map = ValueMap()
            map[.string("value")] = .string(text)
            if let type { map[.string("type")] = .string(type) }
            return .map(map)
        }
        switch attribute.shape {
        case .text: return values.count == 1 ? .string(values[0]) : nil
        case .bool:
            guard values.count == 1, ["true", "false"].contains(values[0]) else { return nil }
            return .bool(values[0] == "true")
        case .reference: return values.count == 1 ? entry(values[0], nil) : nil
        case .values: return .list(values.map { entry($0, nil) })
        case .typed(let type): return .list(values.map { entry($0, type) })
        }
    }
}
