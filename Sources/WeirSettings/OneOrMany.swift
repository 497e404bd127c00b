/// One thing or a list of them: `to: siem` and `to: [siem, archive]`.
package struct OneOrMany<Value: SettingValue>: SettingValue, ExpressibleByArrayLiteral {
    package var values: [Value]

    package init(_ values: [Value]) { self.values = values }
    package init(arrayLiteral values: Value...) { self.values = values }

    package static func read(_ node: SettingNode, _ reading: inout SettingReading) -> OneOrMany? {
        switch node.content {
        case .list, .null: [Value].read(node, &reading).map { OneOrMany($0) }
        case .scalar, .map: Value.read(node, &reading).map { OneOrMany([$0]) }
        }
    }
    package static var shape: SettingShape { .either([Value.shape, .list(Value.shape)]) }
    package var plain: PlainValue { values.count == 1 ? values[0].plain : .list(values.map(\.plain)) }
}

extension OneOrMany: Equatable where Value: Equatable {}
extension OneOrMany: Hashable where Value: Hashable {}
