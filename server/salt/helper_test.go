package salt

func follow(string) {}
