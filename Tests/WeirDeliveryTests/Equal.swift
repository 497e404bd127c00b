import Testing

/// `#expect(left == right)` for a left side that changes something: the macro evaluates copies.
func equal<Value: Equatable>(
    _ left: Value, _ right: Value, _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
) {
    #expect(left == right, comment, sourceLocation: sourceLocation)
}
