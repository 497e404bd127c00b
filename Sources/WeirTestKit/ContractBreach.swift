/// A part did not keep a contract. The test that asked shows it.
package struct ContractBreach: Error, CustomStringConvertible {
    package var description: String
    package init(_ description: String) { self.description = description }
}

/// Throws a breach unless the condition holds.
func keep(_ condition: Bool, _ otherwise: @autoclosure () -> String) throws {
    if !condition { throw ContractBreach(otherwise()) }
}
