import WeirExpressions

/// The groups that a membership rule manages, and who is in which: made once for a sync.
package struct GroupIndex: Sendable {
    /// Without their members.
    package private(set) var all: [SiloObject] = []
    /// `managed` failed for a group, so nobody can say what the rule manages: it holds for all identities.
    package private(set) var problem: String?
    private var byName: [String: Int] = [:]
    /// By the member's name.
    private var memberships: [String: Set<Int>] = [:]
    private let kind: ObjectKind

    init(entry: RuleBook.Entry, snapshot: any IdentitySnapshot, scope: EvaluationScope) {
        kind = entry.rule.target
        let attribute = entry.rule.memberAttribute
        var scope = scope
        scope.rule = entry.rule.name
        for object in snapshot.objects(kind).sorted(by: { $0.name < $1.name }) {
            var group = object
            let members = group.attributes.removeValue(forKey: attribute) ?? []
            if let managed = entry.managed {
                scope.extra["group"] = .map(Self.value(group, snapshot))
                do throws(ExpressionFailure) {
                    let value = try managed.evaluate(nil, in: snapshot, scope)
                    if value == .bool(false) { continue }
                    guard value == .bool(true) else {
                        problem = "`managed` gave \(value.typeName) for \(group.name), not a Boolean"
                        return
                    }
                } catch {
                    problem = "`managed` failed for \(group.name): \(error)"
                    return
                }
            }
            let place = all.count
            all.append(group)
            let names = [group.name, group.anchor] + (group.attributes["cn"] ?? group.attributes["displayname"] ?? [])
            for name in names where byName[snapshot.nameKey(name, kind)] == nil {
                byName[snapshot.nameKey(name, kind)] = place
            }
            for member in members { memberships[snapshot.nameKey(member, kind), default: []].insert(place) }
        }
    }

    func group(_ name: String, _ snapshot: any IdentitySnapshot) -> Int? { byName[snapshot.nameKey(name, kind)] }

    func groups(of member: String, _ snapshot: any IdentitySnapshot) -> Set<Int> {
        memberships[snapshot.nameKey(member, kind)] ?? []
    }

    /// The name of the identity's object in the groups' silo; nil where it has none.
    func member(_ identity: Int, _ snapshot: any IdentitySnapshot) -> String? {
        let user = ObjectKind(silo: kind.silo)
        if user != kind, let object = snapshot.object(of: identity, user) { return object.name }
        return snapshot.objects(of: identity).first { $0.kind.silo == kind.silo && $0.kind != kind }?.name
    }

    private static func value(_ group: SiloObject, _ snapshot: any IdentitySnapshot) -> ValueMap {
        var map = ValueMap()
        map[.string("name")] = .string(group.name)
        map[.string("anchor")] = .string(group.anchor)
        for (attribute, values) in group.attributes.sorted(by: { $0.key < $1.key }) {
            map[.string(attribute)] =
                snapshot.isMulti(attribute, group.kind)
                ? .list(values.map { .string($0) }) : .string(values.first ?? "")
        }
        return map
    }
}
